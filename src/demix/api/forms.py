"""Stems in the format that a client asks for: kept as flac, converted once when another is wanted."""

import threading
from pathlib import Path
from tempfile import TemporaryDirectory

from demix.api.jobs import Job
from demix.api.services import Services
from demix.audio_read import AudioSource, layout_for
from demix.audio_write import GREATEST_CHANNELS, MP3_RATES, AudioSink
from demix.channels import resample_blocks
from demix.config import SAMPLE_RATE
from demix.errors import DemixError
from demix.provenance import usable_cores

KINDS = {"wav": "audio/wav", "flac": "audio/flac", "mp3": "audio/mpeg"}
FORM_PREFIX = "form."  # of temporary folders
_KEPT = "flac"
_at_once = threading.BoundedSemaphore(usable_cores())  # encoders at work


def check_form(job: Job, kind: str) -> None:
    """Raise `DemixError` for a format that cannot hold a job's stems."""
    most = GREATEST_CHANNELS.get(kind)
    if most is not None and (job.channels or 0) > most:
        raise DemixError(f"{kind}: expected at most {most} channels, this song has {job.channels}; take wav or flac")


def is_there(services: Services, job: Job, system: str, stem: str, kind: str) -> bool:
    """Say whether a stem need not be converted first."""
    return kind == _KEPT or services.store.has(job.id, f"{system}/{stem}.{kind}")


def stem_in_form(services: Services, job: Job, system: str, stem: str, kind: str) -> str:
    """Return the name of a stem's stored file in a format, which is made if it is not there.

    Raises:
        DemixError: for a format that cannot hold it.
        FileNotFoundError: when the stem is not there.
    """
    check_form(job, kind)
    kept, name = f"{system}/{stem}.{_KEPT}", f"{system}/{stem}.{kind}"
    if is_there(services, job, system, stem, kind):
        return name
    with _at_once, TemporaryDirectory(dir=services.temp, prefix=FORM_PREFIX) as folder:
        source, target = Path(folder) / f"stem.{_KEPT}", Path(folder) / f"stem.{kind}"
        services.store.fetch(job.id, kept, source)
        convert(source, target, kind)
        services.store.put(job.id, name, target)
    if services.jobs.get(job.id) is None:  # deleted meanwhile
        services.store.remove(job.id)
        raise FileNotFoundError(name)
    return name


def convert(path: Path, target: Path, kind: str) -> None:
    """Write a stem in another format, with its tags; for mp3 at a rate that it knows."""
    with AudioSource(path) as source:
        keep_rate = kind != "mp3" or source.sample_rate in MP3_RATES
        rate = source.sample_rate if keep_rate else SAMPLE_RATE
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
            for block in source.blocks() if keep_rate else resample_blocks(source.blocks(), source.sample_rate, rate):
                sink.write(block)
        except BaseException:
            sink.close(complete=False)
            raise
        sink.close()
