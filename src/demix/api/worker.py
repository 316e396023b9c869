"""A worker: takes the job that has waited longest, lets a process of its own separate it, and stores what came out."""

import logging
import os
import secrets
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from huey.consumer import Consumer

from demix.api import work
from demix.api.janitor import Janitor
from demix.api.jobs import CANCELLED, DONE, FAILED, Job
from demix.api.limited import stream_limited, warm_up
from demix.api.nets import offered_nets
from demix.api.services import Services
from demix.api.store import INPUT
from demix.errors import DemixError
from demix.files import is_full
from demix.onnx_model import pick_device

CANCEL_SECONDS = 1.0  # how soon a heart notices that its job was cancelled
TICK_SECONDS = 0.25  # how soon a song ends after that
IDLE_SECONDS = 0.5  # how long a job may wait for a free worker to look, with a queue that must be asked
SHOWN_LETTERS = 6  # of an id in the log: whoever knows all of it may see the job
SPOKEN_SHARE = 0.02  # before it, the time left is a guess

_log = logging.getLogger("demix.api")


def work_next(services: Services) -> None:
    """Do the next job, if one waits."""
    name = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(6)}"
    job = None if services.stopping.is_set() else services.jobs.claim(name[-64:])
    if job is None:
        return
    folder = services.temp / f"{job.id}.{secrets.token_hex(4)}"
    heart = _Heart(services, job)
    heart.start()
    try:
        _do(services, job, heart, folder)
    except DemixError as error:
        _finish(services, job, FAILED, error=str(error))
    except Exception:  # files or table that are away, perhaps for a moment: the job is silent now, and handed on
        _log.exception("job %s...", job.id[:SHOWN_LETTERS])
    finally:
        heart.stop()
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def working(services: Services, *, songs: int) -> Iterator[None]:
    """Work on so many songs at a time, and keep house, as long as the block lasts.

    At its end the songs at work go back to the queue.
    """
    services.work = lambda: work_next(services)
    janitor = Janitor(services)
    consumer = _Consumer(
        services.queue, workers=songs, periodic=False, initial_delay=0.05, max_delay=IDLE_SECONDS, worker_type="thread"
    )
    thread = threading.Thread(target=consumer.run, name="demix-consumer", daemon=True)
    if songs:
        warm_up()
        thread.start()
    janitor.start()
    try:
        yield
    finally:
        services.stopping.set()
        janitor.stop()
        if songs:
            consumer.stop(graceful=True)
            thread.join(TICK_SECONDS)


class _Consumer(Consumer):  # type: ignore[misc]  # huey has no types
    """Huey's consumer as a guest in a process that handles signals itself."""

    def _set_signal_handlers(self) -> None:
        """Leave the signals alone."""


class _Heart(threading.Thread):
    """Beats for a running job until it is stopped, or the job is no longer this worker's."""

    def __init__(self, services: Services, job: Job) -> None:
        super().__init__(name=f"heart-{job.id}", daemon=True)
        self._services, self._job = services, job
        self._end = threading.Event()
        self.lost = threading.Event()

    def run(self) -> None:
        while not self._end.wait(min(self._services.settings.beat_seconds, CANCEL_SECONDS)):
            try:
                if not self._services.jobs.beat(self._job):
                    self.lost.set()
                    return
            except Exception:  # a database that is away for a moment: the next beat may reach it
                _log.exception("heart of job %s...", self._job.id[:SHOWN_LETTERS])

    def stop(self) -> None:
        self._end.set()


def _do(services: Services, job: Job, heart: _Heart, folder: Path) -> None:
    folder.mkdir(parents=True)
    song, out = folder / "song", folder / "out"
    if job.example is None:
        services.store.fetch(job.id, INPUT, song)
    settings = services.settings
    offered = offered_nets(settings.models)
    nets = {name: source for name, source in offered.items() if name in job.models}
    missing = sorted(set(job.models) - set(nets))
    if missing:
        raise DemixError(f"models: this server no longer has {', '.join(missing)}; choose of {', '.join(offered)}")
    task = work.Task(
        title=job.title,
        nets=nets,
        stems=tuple(job.stems),
        two_stems=job.two_stems,
        example=job.example,
        device=settings.device,
        song_minutes=settings.song_minutes,
    )
    started = time.monotonic()
    made: work.Made | None = None
    steps = stream_limited(
        work.make,
        song,
        out,
        task,
        seconds=settings.job_minutes * 60,
        megabytes=settings.job_megabytes if pick_device(settings.device) == "cpu" else None,
        tick_seconds=TICK_SECONDS,
    )
    try:
        for kind, value in steps:
            if heart.lost.is_set():
                return _clean_up(services, job)
            if services.stopping.is_set():
                services.jobs.give_back(job)
                return None
            if kind == "sent":
                share, model, done_seconds = value
                elapsed = time.monotonic() - started
                remaining = elapsed * (1 - share) / share if share > SPOKEN_SHARE else None
                services.jobs.progress(job, share=share, remaining=remaining, model=model, done_seconds=done_seconds)
            elif kind == "result":
                made = value
    finally:
        steps.close()
    if made is None:  # `stream_limited` ends with a result, or raises
        raise RuntimeError("no result")
    try:
        services.store.put_folder(job.id, out)
    except OSError as error:
        if is_full(error):
            raise DemixError("the server's disk is full; try again later") from error
        raise
    _finish(
        services,
        job,
        DONE,
        progress=1.0,
        seconds=made.seconds,
        sample_rate=made.sample_rate,
        channels=made.channels,
        notes=made.notes,
        scores=made.scores,
    )
    return None


def _finish(services: Services, job: Job, status: str, **facts: object) -> None:
    """End a job and remove its upload; or all of it, when nobody wants it any more."""
    if not services.jobs.finish(job, status, keep_seconds=services.keep_seconds, **facts):
        _clean_up(services, job)
        return
    _log.info("job %s...: %s%s", job.id[:SHOWN_LETTERS], status, f" ({facts['error']})" if "error" in facts else "")
    services.store.remove_file(job.id, INPUT)
    if status == FAILED:
        services.store.remove(job.id)


def _clean_up(services: Services, job: Job) -> None:
    """Remove the files of a job that was deleted or cancelled; another worker's are left alone."""
    current = services.jobs.get(job.id)
    if current is None or current.status == CANCELLED:
        services.store.remove(job.id)
