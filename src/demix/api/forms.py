"""Stems in the format that a client asks for: kept as flac, converted once when another is wanted."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from weakref import WeakValueDictionary

from demix.api.jobs import Job
from demix.api.services import Services
from demix.audio_read import AudioSource, layout_for
from demix.audio_write import GREATEST_CHANNELS, AudioSink, writable_rate
from demix.channels import resample_blocks
from demix.errors import DemixError
from demix.provenance import usable_cores

KINDS = {"wav": "audio/wav", "flac": "audio/flac", "mp3": "audio/mpeg"}
FORM_PREFIX = "form."  # of temporary folders
_KEPT = "flac"
_places = threading.BoundedSemaphore(24)
_locks: WeakValueDictionary[tuple[str, str], threading.Lock] = WeakValueDictionary()
_locks_lock = threading.Lock()
_at_once = threading.BoundedSemaphore(usable_cores())  # encoders at work


class BusyError(DemixError):
    """The server has more to convert than it can."""


def check_form(job: Job, kind: str) -> None:
    """Raise `DemixError` for a format that cannot hold a job's stems."""
    most = GREATEST_CHANNELS.get(kind)
    if most is not None and (job.channels or 0) > most:
        raise DemixError(f"{kind}: expected at most {most} channels, this song has {job.channels}; take wav or flac")


def is_there(services: Services, job: Job, system: str, stem: str, kind: str) -> bool:
    """Say whether a stem need not be converted first."""
    return services.store.has(job.id, f"{system}/{stem}.{kind}")


def stem_in_form(services: Services, job: Job, system: str, stem: str, kind: str) -> str:
    """Return the name of a stem's stored file in a format, which is made if it is not there.

    Raises:
        DemixError: for a format that cannot hold it; `BusyError` when too many wait already.
        FileNotFoundError: when the stem is not there.
    """
    check_form(job, kind)
    kept, name = f"{system}/{stem}.{_KEPT}", f"{system}/{stem}.{kind}"
    if kind == _KEPT or is_there(services, job, system, stem, kind):
        return name
    with _waiting(), _lock_of(job.id, name), _at_once:
        if not is_there(services, job, system, stem, kind):  # nobody else has made it meanwhile
            _make(services, job, kept, name, kind)
    if services.jobs.get(job.id) is None:  # deleted meanwhile
        services.store.remove(job.id)
        raise FileNotFoundError(name)
    return name


def _make(services: Services, job: Job, kept: str, name: str, kind: str) -> None:
    with TemporaryDirectory(dir=services.temp, prefix=FORM_PREFIX) as folder:
        source, target = Path(folder) / f"stem.{_KEPT}", Path(folder) / f"stem.{kind}"
        services.store.fetch(job.id, kept, source)
        convert(source, target, kind)
        services.store.put(job.id, name, target)


@contextmanager
def _waiting() -> Iterator[None]:
    """Hold one of the places for requests that wait for a conversion: each holds a thread of the server."""
    if not _places.acquire(blocking=False):
        raise BusyError("conversion: too many stems are being converted; try again later, or take flac")
    try:
        yield
    finally:
        _places.release()


def _lock_of(job_id: str, name: str) -> threading.Lock:
    """Return the lock of one file, so that many who ask for it wait for one conversion."""
    with _locks_lock:
        return _locks.setdefault((job_id, name), threading.Lock())


def convert(path: Path, target: Path, kind: str) -> None:
    """Write a stem in another format, with its tags; for mp3 at a rate that it knows."""
    with AudioSource(path) as source:
        rate = writable_rate(kind, source.sample_rate)
        sink = AudioSink(
            target,
            kind=kind,
            depth="int16",
            sample_rate=rate,
            layout=layout_for(source.layout, source.channels),
            tags=source.tags,
            bit_rate=320,
        )
        try:
            blocks = source.blocks()
            for block in blocks if rate == source.sample_rate else resample_blocks(blocks, source.sample_rate, rate):
                sink.write(block)
        except BaseException:
            sink.close(complete=False)
            raise
        sink.close()
