"""Settings of the server and its workers: environment variables with the prefix `DEMIX_`, their defaults and bounds."""

import re
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from demix.errors import DemixError

PREFIX = "DEMIX_"
MEGABYTE = 1_000_000


class Settings(BaseSettings):
    """All settings; each is read from `DEMIX_<NAME>`."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_ignore_empty=True, frozen=True, extra="ignore", allow_inf_nan=False
    )

    host: str = Field("127.0.0.1", description="address to listen on; 0.0.0.0 for every network")
    port: int = Field(8000, ge=0, le=65535, description="port to listen on; 0 takes a free one")
    data_dir: Path = Field(Path("data/serve"), description="folder for jobs, queue and files, unless they have URLs")
    temp_dir: Path = Field(Path("data/temp"), description="folder for uploads and songs at work, on a local disk")
    results_dir: Path = Field(Path("results"), description="folder of the comparison reports to show")
    database_url: str = Field("", description="job table, as postgresql+psycopg://user:password@host/name")
    queue_url: str = Field("", description="queue, as redis://host:6379/0")
    storage_url: str = Field("", description="files, as s3://bucket/prefix")
    workers: int = Field(1, ge=0, le=64, description="songs at a time in this process; 0 leaves them to demix worker")
    models: Annotated[tuple[str, ...], NoDecode] = Field((), description="nets to offer, by commas; all on board")
    device: str = Field("auto", description="what nets run on: auto, cpu, cuda")
    upload_megabytes: int = Field(200, ge=1, description="largest upload")
    song_minutes: float = Field(20.0, gt=0, le=720, description="longest song")
    queue_limit: int = Field(100, ge=1, description="songs that may wait; more are sent away with 429")
    keep_hours: float = Field(24.0, gt=0, le=876_000, description="how long results are kept")
    rate_limit: str = Field("60/minute", description="new separations of one client; off for no limit")
    request_limit: str = Field("3000/minute", description="requests of one client; off for no limit")
    api_keys: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="SHA-256 of the API keys, by commas; none: open to all. `demix api-key` makes one. "
        "Health, metrics and reports stay open",
    )
    job_minutes: float = Field(60.0, gt=0, le=100_000, description="a song that takes longer is given up")
    job_megabytes: int = Field(
        6000, ge=500, description="address space of the process that holds a song, unless it uses a GPU"
    )
    probe_seconds: float = Field(20.0, gt=0, description="time to find out what an upload is")
    upload_idle_seconds: float = Field(30.0, gt=0, description="an upload that pauses longer is given up")
    stale_seconds: float = Field(30.0, ge=1, description="a song that was silent for so long is given to another")
    attempts: int = Field(3, ge=1, description="a song whose workers stopped so often has failed")
    hosts: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="names that the server answers to, by commas; localhost if only this machine reaches it, or all"
    )
    proxies: str = Field("127.0.0.1", description="proxies whose X-Forwarded-For is believed, by commas")

    @field_validator("api_keys", "hosts", "models", mode="before")
    @classmethod
    def _by_commas(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        parts = tuple(part.strip() for part in value.split(",") if part.strip())
        if not parts:
            raise ValueError("expected something between the commas, received nothing; leave it out")
        return parts

    @field_validator("api_keys")
    @classmethod
    def _hashes(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if any(not re.fullmatch(r"[0-9a-f]{64}", each) for each in value):
            raise ValueError(
                "expected SHA-256 hashes of 64 hexadecimal digits, not the keys; `demix api-key` makes both"
            )
        return value

    @field_validator("rate_limit", "request_limit")
    @classmethod
    def _rate(cls, value: str) -> str:
        from limits import parse

        if value == "off":
            return ""
        if value:
            try:
                amount = parse(value).amount
            except ValueError as error:
                raise ValueError("expected a rate as 60/minute, or off") from error
            if amount < 1:
                raise ValueError("expected a rate of at least 1, or off")
        return value

    @property
    def beat_seconds(self) -> float:
        """How often what is alive says so: often enough to be believed when two beats are late."""
        return self.stale_seconds / 10

    @property
    def upload_bytes(self) -> int:
        """The largest upload in bytes."""
        return self.upload_megabytes * MEGABYTE


def load_settings(**changes: Any) -> Settings:
    """Read the settings from the environment.

    Args:
        changes: settings that come from elsewhere; None is as if not given.

    Raises:
        DemixError: for a value that is none.
    """
    try:
        return Settings(**{name: value for name, value in changes.items() if value is not None})
    except ValidationError as error:
        first = error.errors()[0]
        name = PREFIX + str(first["loc"][0]).upper()
        what = str(first["msg"]).removeprefix("Value error, ")
        shown = "" if name in ("DEMIX_API_KEYS", "DEMIX_DATABASE_URL") else f", received {str(first['input'])!r}"
        raise DemixError(f"{name}: {what[:1].lower()}{what[1:]}{shown}; see demix serve --help") from error


def describe() -> list[tuple[str, str, str]]:
    """Return every setting as environment variable, default and meaning."""
    rows = []
    for name, field in Settings.model_fields.items():
        default = field.default
        shown = "" if default in ("", ()) else str(default)
        rows.append((PREFIX + name.upper(), shown, field.description or ""))
    return rows
