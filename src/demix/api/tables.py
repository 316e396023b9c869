"""The two tables of the database, and an engine that is safe with many writers."""

import json
import time
from typing import Any

import sqlalchemy as sql

from demix.errors import DemixError

METADATA = sql.MetaData()

JOBS = sql.Table(
    "separations",
    METADATA,
    sql.Column("id", sql.String(32), primary_key=True),
    sql.Column("owner", sql.String(64), nullable=False, index=True),
    sql.Column("status", sql.String(16), nullable=False, index=True),
    sql.Column("title", sql.Text, nullable=False),
    sql.Column("example", sql.String(64)),
    sql.Column("models", sql.JSON, nullable=False),
    sql.Column("systems", sql.JSON, nullable=False),
    sql.Column("stems", sql.JSON, nullable=False),
    sql.Column("two_stems", sql.String(16)),
    sql.Column("kind", sql.String(8), nullable=False),
    sql.Column("progress", sql.Double, nullable=False, default=0.0),
    sql.Column("remaining", sql.Double),
    sql.Column("seconds", sql.Double),
    sql.Column("sample_rate", sql.Integer),
    sql.Column("channels", sql.Integer),
    sql.Column("created", sql.Double, nullable=False),
    sql.Column("queued", sql.Double, index=True),
    sql.Column("started", sql.Double),
    sql.Column("finished", sql.Double),
    sql.Column("expires", sql.Double, index=True),
    sql.Column("beat", sql.Double, nullable=False),
    sql.Column("worker", sql.String(64), nullable=False, default=""),
    sql.Column("attempts", sql.Integer, nullable=False, default=0),
    sql.Column("notes", sql.JSON, nullable=False, default=list),
    sql.Column("error", sql.Text),
    sql.Column("scores", sql.JSON(none_as_null=True)),
)
# Ids of events are never used again: a client that comes back names the last one that it has seen.
EVENTS = sql.Table(
    "separation_events",
    METADATA,
    sql.Column("id", sql.Integer, primary_key=True, autoincrement=True),
    sql.Column("job_id", sql.String(32), nullable=False, index=True),
    sql.Column("kind", sql.String(16), nullable=False),
    sql.Column("data", sql.Text, nullable=False),
    sqlite_autoincrement=True,
)

SQLITE_PATIENCE_SECONDS = 30.0
RETRY_SECONDS = 0.5
START_PATIENCE_SECONDS = 30.0  # a database that starts beside the server needs a moment


def prepare(url: str) -> sql.Engine:
    """Return an engine for a database in which the tables exist.

    Raises:
        DemixError: when the URL is none, or nothing answers there.
    """
    try:
        is_sqlite = sql.make_url(url).get_backend_name() == "sqlite"
        arguments: dict[str, Any] = {"timeout": SQLITE_PATIENCE_SECONDS} if is_sqlite else {"connect_timeout": 5}
        engine = sql.create_engine(url, pool_pre_ping=not is_sqlite, connect_args=arguments)
    except (sql.exc.ArgumentError, ImportError, ValueError) as error:
        raise unreachable(error) from error
    if is_sqlite:
        sql.event.listen(engine, "connect", _set_up_sqlite)
        sql.event.listen(engine, "begin", _begin_immediately)
    deadline = time.monotonic() + START_PATIENCE_SECONDS
    while True:
        try:
            METADATA.create_all(engine)
        except sql.exc.SQLAlchemyError as error:
            # Two that start at once both create; who comes second finds the tables at the next try.
            passing = not is_sqlite or "exists" in str(error) or "locked" in str(error)
            if not passing or time.monotonic() > deadline:
                raise unreachable(error) from error
            time.sleep(RETRY_SECONDS)
        else:
            return engine


def tell(connection: sql.Connection, job_id: str, kind: str, data: dict[str, Any] | None = None) -> None:
    """Append an event to a job's; of `progress` only the last is kept."""
    if kind == "progress":
        connection.execute(sql.delete(EVENTS).where(EVENTS.c.job_id == job_id, EVENTS.c.kind == kind))
    connection.execute(sql.insert(EVENTS).values(job_id=job_id, kind=kind, data=json.dumps(data or {})))


def unreachable(error: Exception) -> DemixError:
    """Return the sentence for a database that cannot be used; it does not show the URL, which may hold a password."""
    reason = str(getattr(error, "orig", None) or error).strip().splitlines()
    return DemixError(
        f"job table: cannot be used ({reason[0] if reason else type(error).__name__}); check DEMIX_DATABASE_URL, or "
        "leave it out for a file in DEMIX_DATA_DIR"
    )


def _set_up_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # SQLAlchemy says BEGIN itself, below
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")  # an accepted job survives a power cut


def _begin_immediately(connection: sql.Connection) -> None:
    """Take the write lock at the start: one that reads first and writes later fails when another came between."""
    if connection.get_execution_options().get("isolation_level") != "AUTOCOMMIT":  # which is how one only reads
        connection.exec_driver_sql("BEGIN IMMEDIATE")
