"""What server and workers share: settings, job table, files and queue."""

import logging
import sqlite3
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from huey import Huey, RedisHuey, SqliteHuey
from huey.api import TaskWrapper
from huey.exceptions import HueyException

from demix.api.job_table import JobTable
from demix.api.settings import Settings
from demix.api.store import Store
from demix.errors import DemixError

QUEUE_NAME = "demix"
PRIVATE = 0o700  # ids in the table open the songs, and songs are their owners'
REDIS_SCHEMES = ("redis://", "rediss://")
REDIS_PATIENCE_SECONDS = 5.0
_log = logging.getLogger("demix.api")


@dataclass
class Services:
    """Everything that lasts longer than a request; open it with `open_services`."""

    settings: Settings
    jobs: JobTable
    store: Store
    queue: Huey
    wake_task: TaskWrapper
    queue_failures: tuple[type[Exception], ...]
    stopping: threading.Event = field(default_factory=threading.Event)
    work: Callable[[], None] = lambda: None

    @property
    def temp(self) -> Path:
        """Return the folder for files of jobs that are uploaded or at work on this machine."""
        return self.settings.temp_dir / "serve"

    @property
    def keep_seconds(self) -> float:
        """How long an ended job is kept."""
        return self.settings.keep_hours * 3600

    def wake(self) -> None:
        """Tell a worker that a job waits; when the queue does not answer, the janitor will later."""
        try:
            self.wake_task()
        except self.queue_failures as error:
            _log.warning("the queue does not answer (%s); jobs wait until it does", error)

    def ping_queue(self) -> int:
        """Return how many wake-up calls wait.

        Raises:
            DemixError: when the queue does not answer.
        """
        try:
            return int(self.queue.pending_count())
        except self.queue_failures as error:
            raise DemixError(f"queue: does not answer ({error}); check DEMIX_QUEUE_URL") from error

    def close(self) -> None:
        """Let go of the database."""
        self.jobs.close()


def open_services(settings: Settings) -> Services:
    """Open the job table, the files and the queue that the settings name.

    Raises:
        DemixError: when one of them cannot be used.
    """
    for name, folder in (("DEMIX_DATA_DIR", settings.data_dir), ("DEMIX_TEMP_DIR", settings.temp_dir / "serve")):
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=PRIVATE)
            folder.chmod(PRIVATE)
        except OSError as error:
            raise DemixError(
                f"{name}: {folder} cannot be used ({error.strerror}); name a folder of your own"
            ) from error
    table = JobTable(settings.database_url) if settings.database_url else JobTable.in_folder(settings.data_dir)
    store = Store(settings.storage_url or str((settings.data_dir / "files").resolve()))
    failures: tuple[type[Exception], ...] = (HueyException, OSError, sqlite3.Error)
    if settings.queue_url:
        if not settings.queue_url.startswith(REDIS_SCHEMES):
            raise DemixError("DEMIX_QUEUE_URL: expected redis://host:6379/0, received another kind of address")
        try:
            import redis
        except ImportError as error:
            raise DemixError("DEMIX_QUEUE_URL: needs redis; pip install 'demix-lab[cluster]'") from error
        failures = (*failures, redis.RedisError)
        try:
            pool = redis.ConnectionPool.from_url(
                settings.queue_url,
                socket_timeout=REDIS_PATIENCE_SECONDS,
                socket_connect_timeout=REDIS_PATIENCE_SECONDS,
            )
            queue: Huey = RedisHuey(QUEUE_NAME, connection_pool=pool, results=False)
        except (ValueError, redis.RedisError) as error:
            raise DemixError(f"DEMIX_QUEUE_URL: cannot be used ({error}); name redis://host:6379/0") from error
    else:
        queue = SqliteHuey(QUEUE_NAME, filename=str(settings.data_dir / "queue.sqlite"), results=False)
    services = Services(settings, table, store, queue, wake_task=None, queue_failures=failures)
    services.wake_task = queue.task(name="separate")(lambda: services.work())
    return services
