"""The job table: every separation from its upload to its end, in SQLite or PostgreSQL.

The table is the truth; the queue only wakes workers up. A state changes in one statement that names the state before,
so of two that want the same job one gets it. A running job beats its heart; `JobTable.sweep` hands on what has stopped.
"""

import json
import secrets
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sql

from demix.api.jobs import CANCELLED, FAILED, QUEUED, RUNNING, UPLOADING, Event, Job, Order
from demix.api.tables import EVENTS, JOBS, prepare, tell, unreachable

ID_BYTES = 18  # 144 random bits, 24 letters: whoever knows an id may see the job
_ADMISSION_LOCK = 0x64656D6978  # any number, the same in every process


class JobTable:
    """The table, safe to be used by many threads, processes and machines.

    Args:
        url: of the database, in SQLAlchemy's form.

    Raises:
        DemixError: when there is no such database.
    """

    def __init__(self, url: str) -> None:
        self._engine = prepare(url)

    @classmethod
    def in_folder(cls, folder: Path) -> "JobTable":
        """Open the table of a folder, a SQLite file."""
        folder.mkdir(parents=True, exist_ok=True)
        return cls(f"sqlite:///{(folder / 'jobs.sqlite').resolve()}")

    def close(self) -> None:
        """Let go of all connections."""
        self._engine.dispose()

    def admit(self, order: Order, *, limit: int) -> Job | None:
        """Enter a job, as `uploading`, if fewer than `limit` wait.

        Returns:
            The job, or None when the queue is full.
        """
        now = time.time()
        job_id = secrets.token_urlsafe(ID_BYTES)
        row = order.to_columns() | {"id": job_id, "status": UPLOADING, "created": now, "beat": now}
        with self._write() as connection:
            if self._engine.dialect.name == "postgresql":
                connection.execute(sql.select(sql.func.pg_advisory_xact_lock(_ADMISSION_LOCK)))
            waiting = sql.select(sql.func.count()).where(JOBS.c.status.in_((UPLOADING, QUEUED)))
            if connection.execute(waiting).scalar_one() >= limit:
                return None
            connection.execute(sql.insert(JOBS).values(**row))
        return self.get(job_id)

    def get(self, job_id: str) -> Job | None:
        """Return a job, or None."""
        with self._read() as connection:
            row = connection.execute(sql.select(JOBS).where(JOBS.c.id == job_id)).one_or_none()
        return None if row is None else Job(**row._mapping)

    def of_owner(self, owner: str, *, most: int = 100) -> list[Job]:
        """Return the newest jobs of an API key."""
        query = sql.select(JOBS).where(JOBS.c.owner == owner).order_by(JOBS.c.created.desc()).limit(most)
        with self._read() as connection:
            return [Job(**row._mapping) for row in connection.execute(query)]

    def position(self, job: Job) -> int | None:
        """Return a job's place in the queue, 1 is next; None when it does not wait."""
        if job.status != QUEUED:
            return None
        ahead = sql.select(sql.func.count()).where(JOBS.c.status == QUEUED, JOBS.c.queued < job.queued)
        with self._read() as connection:
            return int(connection.execute(ahead).scalar_one()) + 1

    def counts(self) -> dict[str, int]:
        """Return how many jobs there are in each state."""
        query = sql.select(JOBS.c.status, sql.func.count()).group_by(JOBS.c.status)
        with self._read() as connection:
            return {status: int(count) for status, count in connection.execute(query)}

    def beat_upload(self, job_id: str) -> bool:
        """Say that an upload goes on; False when the job is no longer wanted."""
        return self._change(job_id, (UPLOADING,), {"beat": time.time()})

    def enqueue(self, job_id: str, **facts: Any) -> bool:
        """Let an uploaded job wait for a worker, with what is known of it now; False when it is no longer wanted."""
        now = time.time()
        return self._change(job_id, (UPLOADING,), {"status": QUEUED, "queued": now, "beat": now} | facts)

    def claim(self, worker: str) -> Job | None:
        """Take the job that has waited longest; None when none waits."""
        now = time.time()
        oldest = sql.select(JOBS.c.id).where(JOBS.c.status == QUEUED).order_by(JOBS.c.queued, JOBS.c.id).limit(1)
        with self._write() as connection:
            job_id = connection.execute(oldest.with_for_update(skip_locked=True)).scalar_one_or_none()
            if job_id is None:
                return None
            change = {"status": RUNNING, "worker": worker, "beat": now, "started": now, "progress": 0.0}
            connection.execute(
                sql.update(JOBS).where(JOBS.c.id == job_id).values(**change, attempts=JOBS.c.attempts + 1)
            )
            tell(connection, job_id, "status")
        return self.get(job_id)

    def beat(self, job: Job) -> bool:
        """Say that a running job is alive; False when it is no longer this worker's."""
        return self._change(job.id, (RUNNING,), {"beat": time.time()}, worker=job.worker, event=None)

    def progress(self, job: Job, *, share: float, remaining: float | None, **more: Any) -> bool:
        """Note how far a running job is; False when it is no longer this worker's."""
        change = {"beat": time.time(), "progress": share, "remaining": remaining}
        data = {"progress": share, "remaining_seconds": remaining} | more
        return self._change(job.id, (RUNNING,), change, worker=job.worker, event=("progress", data))

    def finish(self, job: Job, status: str, *, keep_seconds: float, **facts: Any) -> bool:
        """End a running job; False when it is no longer this worker's."""
        now = time.time()
        change = {"status": status, "finished": now, "expires": now + keep_seconds, "remaining": None} | facts
        return self._change(job.id, (RUNNING,), change, worker=job.worker)

    def fail_upload(self, job_id: str) -> None:
        """Forget a job whose upload did not come to an end: its client has been told."""
        self._forget((JOBS.c.id == job_id) & (JOBS.c.status == UPLOADING))

    def give_back(self, job: Job) -> bool:
        """Let a running job wait again, as if it had not been tried: its worker is about to stop."""
        change = {"status": QUEUED, "worker": "", "progress": 0.0, "remaining": None, "attempts": job.attempts - 1}
        return self._change(job.id, (RUNNING,), change, worker=job.worker)

    def cancel(self, job_id: str, *, keep_seconds: float) -> bool:
        """End a job that has not ended; False when it has. Its worker notices at its next beat."""
        now = time.time()
        change = {"status": CANCELLED, "finished": now, "expires": now + keep_seconds, "remaining": None}
        return self._change(job_id, (UPLOADING, QUEUED, RUNNING), change)

    def delete(self, job_id: str) -> None:
        """Forget a job and its events."""
        self._forget(JOBS.c.id == job_id)

    def events(self, job_id: str, after: int = 0) -> list[Event]:
        """Return a job's events after one of them, oldest first."""
        query = sql.select(EVENTS).where(EVENTS.c.job_id == job_id, EVENTS.c.id > after).order_by(EVENTS.c.id)
        with self._read() as connection:
            return [Event(row.id, row.kind, json.loads(row.data)) for row in connection.execute(query)]

    def ping(self) -> None:
        """Raise `DemixError` when the database does not answer."""
        try:
            with self._read() as connection:
                connection.execute(sql.select(sql.literal(1)))
        except sql.exc.SQLAlchemyError as error:
            raise unreachable(error) from error

    def ids(self, statuses: Sequence[str]) -> set[str]:
        """Return the ids of the jobs in some states."""
        with self._read() as connection:
            return set(connection.execute(sql.select(JOBS.c.id).where(JOBS.c.status.in_(statuses))).scalars())

    def expired(self) -> list[str]:
        """Return the ids of the jobs whose time is over."""
        with self._read() as connection:
            return list(connection.execute(sql.select(JOBS.c.id).where(JOBS.c.expires < time.time())).scalars())

    def sweep(self, *, stale_seconds: float, attempts: int, keep_seconds: float) -> dict[str, list[str]]:
        """Hand on the jobs whose worker has stopped, end those that were tried often enough, forget dead uploads.

        Returns:
            The ids of those `requeued`, `failed` and `forgotten`.
        """
        now = time.time()
        stale = JOBS.c.beat < now - stale_seconds
        with self._read() as connection:
            running = list(
                connection.execute(
                    sql.select(JOBS.c.id, JOBS.c.worker, JOBS.c.attempts).where(JOBS.c.status == RUNNING, stale)
                )
            )
            uploads = list(connection.execute(sql.select(JOBS.c.id).where(JOBS.c.status == UPLOADING, stale)).scalars())
        done: dict[str, list[str]] = {"requeued": [], "failed": [], "forgotten": uploads}
        for job_id, worker, tried in running:
            again: dict[str, Any] = {"status": QUEUED, "worker": "", "progress": 0.0, "remaining": None}
            error = f"its worker stopped {tried} times in the middle of it; try a shorter song, or another file"
            over = {"status": FAILED, "finished": now, "expires": now + keep_seconds, "error": error}
            if self._change(job_id, (RUNNING,), again if tried < attempts else over, worker=worker):
                done["requeued" if tried < attempts else "failed"].append(job_id)
        for job_id in uploads:
            self.fail_upload(job_id)
        return done

    def _change(
        self,
        job_id: str,
        before: Sequence[str],
        change: dict[str, Any],
        *,
        worker: str | None = None,
        event: tuple[str, dict[str, Any]] | None = ("status", {}),
    ) -> bool:
        """Change a row if it is in one of the states before, and perhaps one worker's; tell it if it did."""
        where = (JOBS.c.id == job_id) & JOBS.c.status.in_(before)
        if worker is not None:
            where &= JOBS.c.worker == worker
        with self._write() as connection:
            changed = connection.execute(sql.update(JOBS).where(where).values(**change)).rowcount == 1
            if changed and event is not None:
                tell(connection, job_id, event[0], event[1])
        return changed

    def _forget(self, where: sql.ColumnElement[bool]) -> None:
        with self._write() as connection:
            ids = list(connection.execute(sql.select(JOBS.c.id).where(where)).scalars())
            connection.execute(sql.delete(EVENTS).where(EVENTS.c.job_id.in_(ids)))
            connection.execute(sql.delete(JOBS).where(JOBS.c.id.in_(ids)))

    @contextmanager
    def _read(self) -> Iterator[sql.Connection]:
        with self._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            yield connection

    @contextmanager
    def _write(self) -> Iterator[sql.Connection]:
        with self._engine.begin() as connection:
            yield connection
