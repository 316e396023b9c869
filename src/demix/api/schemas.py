"""What the API answers with, and from it the OpenAPI document."""

from datetime import UTC, datetime
from typing import Literal

from pydantic import BaseModel, Field

from demix.api.jobs import QUEUED, UPLOADING, Job

Status = Literal["queued", "running", "done", "failed", "cancelled"]


class Problem(BaseModel):
    """What went wrong, in one sentence."""

    detail: str = Field(examples=["song.mp3: expected at most 20 minutes, received 31.0; cut it into parts"])


class Limits(BaseModel):
    """What the server takes, and for how long it keeps results."""

    upload_bytes: int = Field(examples=[200_000_000])
    song_minutes: float = Field(examples=[20.0])
    queue: int = Field(description="songs that may wait", examples=[100])
    keep_hours: float = Field(examples=[24.0])


class Service(BaseModel):
    """What a client needs to know before it does anything."""

    version: str
    auth: bool = Field(description="whether an API key is asked for, as `Authorization: Bearer KEY`")
    limits: Limits
    formats: list[str] = Field(examples=[["wav", "flac", "mp3"]])
    stems: list[str] = Field(examples=[["vocals", "drums", "bass", "other"]])


class Model(BaseModel):
    """A net."""

    name: str = Field(examples=["unet"])
    title: str = Field(examples=["U-Net"])
    parameters: int = Field(examples=[928_504])
    description: str = Field(description="what it was trained on, and how well it does")
    default: bool


class Models(BaseModel):
    """All nets."""

    models: list[Model]


class ExampleSong(BaseModel):
    """A song that ships with the server, with true stems."""

    id: str = Field(examples=["lithium"])
    title: str = Field(examples=["Lithium"])
    artist: str
    licence: str = Field(examples=["CC0 1.0"])
    seconds: float = Field(examples=[30.0])
    note: str


class Examples(BaseModel):
    """All examples."""

    examples: list[ExampleSong]


class Report(BaseModel):
    """A comparison's report."""

    name: str = Field(examples=["free-tiny"])
    title: str
    url: str = Field(examples=["/results/free-tiny/"])


class Reports(BaseModel):
    """All reports, the newest first."""

    results: list[Report]


class Separation(BaseModel):
    """A song on its way to stems, or there."""

    id: str = Field(
        description="unguessable; whoever knows it may see the separation", examples=["q4mTqX0rXcM0dJ2k5v1aZw7Y"]
    )
    status: Status
    title: str = Field(examples=["song.mp3"])
    example: str | None = None
    models: list[str] = Field(examples=[["unet", "vit"]])
    systems: list[str] = Field(description="the models, and `truth` for an example", examples=[["unet", "vit"]])
    stems: list[str] = Field(examples=[["vocals", "drums", "bass", "other"]])
    format: str = Field(description="what stems come as unless asked otherwise", examples=["wav"])
    position: int | None = Field(None, description="place in the queue, 1 is next")
    progress: float = Field(description="0 to 1", examples=[0.4])
    remaining_seconds: float | None = Field(None, description="estimate of the time that separation still takes")
    seconds: float | None = Field(None, description="length of the song")
    sample_rate: int | None = Field(None, description="in Hz")
    channels: int | None = None
    created_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None
    expires_at: datetime | None = Field(None, description="when it will be deleted")
    notes: list[str] = []
    error: str | None = Field(None, description="why it failed, in one sentence")
    scores: dict[str, dict[str, float | None]] | None = Field(
        None, description="for an example: `sdr` of each model's stems against the true ones, in dB, of this excerpt"
    )


class Separations(BaseModel):
    """Separations, the newest first."""

    separations: list[Separation]


class Geometry(BaseModel):
    """How spectrogram and mask tiles are to be read; the last tile is as wide as what is left of the song."""

    seconds: float
    tiles: int
    tile_seconds: float
    width: int
    height: int
    low_hz: float = Field(description="lower edge of the lowest row")
    high_hz: float = Field(description="upper edge of the top row")
    scale: str
    low_db: float = Field(description="level of a black pixel, below the song's loudest point")
    high_db: float = Field(description="level of a white pixel")


class Peaks(BaseModel):
    """A waveform to draw, in the JSON format of audiowaveform, version 2."""

    version: int
    channels: int
    sample_rate: int
    samples_per_pixel: int
    bits: int
    length: int
    data: list[int] = Field(description="least and greatest sample in turn, -128 to 127")


def show(job: Job, position: int | None) -> Separation:
    """Return a job as clients see it."""
    return Separation(
        id=job.id,
        status=QUEUED if job.status == UPLOADING else job.status,  # type: ignore[arg-type]
        title=job.title,
        example=job.example,
        models=job.models,
        systems=job.systems,
        stems=job.stems,
        format=job.kind,
        position=position,
        progress=round(job.progress, 4),
        remaining_seconds=job.remaining,
        seconds=job.seconds,
        sample_rate=job.sample_rate,
        channels=job.channels,
        created_at=datetime.fromtimestamp(round(job.created, 3), UTC),
        started_at=_time(job.started),
        finished_at=_time(job.finished),
        expires_at=_time(job.expires),
        notes=job.notes,
        error=job.error,
        scores=job.scores,
    )


def _time(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(round(seconds, 3), UTC)
