"""The janitor: hands on jobs whose worker has stopped, wakes workers for forgotten ones, removes what is old."""

import logging
import shutil
import threading
import time

from demix.api.forms import FORM_PREFIX
from demix.api.jobs import QUEUED, RUNNING, UPLOADING
from demix.api.services import Services
from demix.errors import DemixError

LONGEST_PAUSE_SECONDS = 15.0
ORPHANS_EVERY_SECONDS = 600.0
FORM_SECONDS = 3600.0  # a download that is being converted belongs to a job that is done; none takes as long as this

_log = logging.getLogger("demix.api")


class Janitor(threading.Thread):
    """Sweeps now and then until it is stopped; any number of them may work on the same jobs."""

    def __init__(self, services: Services) -> None:
        super().__init__(name="demix-janitor", daemon=True)
        self._services = services
        self._end = threading.Event()
        self._orphans_due = 0.0

    def run(self) -> None:
        """Sweep, rest, and sweep again."""
        pause = min(LONGEST_PAUSE_SECONDS, self._services.settings.stale_seconds / 2)
        while True:
            try:
                sweep(self._services)
                if time.monotonic() >= self._orphans_due:
                    remove_orphans(self._services)
                    self._orphans_due = time.monotonic() + ORPHANS_EVERY_SECONDS
            except Exception:  # a database or a disk that is away for a moment must not end the janitor
                _log.exception("janitor")
            if self._end.wait(pause):
                return

    def stop(self) -> None:
        """End at the next rest."""
        self._end.set()


def sweep(services: Services) -> dict[str, int]:
    """Hand on what has stopped, remove what is over, and wake workers; return how many jobs each touched."""
    settings = services.settings
    found = services.jobs.sweep(
        stale_seconds=settings.stale_seconds, attempts=settings.attempts, keep_seconds=services.keep_seconds
    )
    for job_id in found["failed"] + found["forgotten"]:
        services.store.remove(job_id)
    found["expired"] = services.jobs.expired()
    for job_id in found["expired"]:
        services.store.remove(job_id)
        services.jobs.delete(job_id)
    waiting = services.jobs.counts().get(QUEUED, 0)
    try:
        missing = max(0, waiting - services.ping_queue())
    except DemixError as error:
        _log.warning("%s", error)
        missing = 0
    for _ in range(missing):  # lost with the queue, or never sent because it was away
        services.wake()
    _empty_temp(services)
    done = {what: len(ids) for what, ids in found.items()} | {"woken": missing}
    if any(done.values()):
        _log.info("janitor: %s", ", ".join(f"{count} {what}" for what, count in done.items() if count))
    return done


def remove_orphans(services: Services) -> None:
    """Remove stored files of jobs that there are no more: what processes leave that are killed between two steps."""
    for job_id in services.store.job_ids():  # a new job is in the table before it has files
        if services.jobs.get(job_id) is None:
            services.store.remove(job_id)


def _empty_temp(services: Services) -> None:
    """Remove what killed processes left on this machine: of jobs that are not at work, and old downloads."""
    active = services.jobs.ids((UPLOADING, RUNNING))
    for path in services.temp.iterdir():
        try:
            age = time.time() - path.stat().st_mtime
        except FileNotFoundError:  # its owner was quicker
            continue
        job_id = path.name.split(".")[0]
        patience = FORM_SECONDS if path.name.startswith(FORM_PREFIX) else services.settings.stale_seconds
        if job_id not in active and age > patience:
            shutil.rmtree(path, ignore_errors=True)
