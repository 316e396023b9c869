"""Who may do what: API keys, and how much one client may ask for."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, HTTPException, Request
from limits import RateLimitItem, parse
from limits.errors import StorageError
from limits.storage import storage_from_string
from limits.strategies import MovingWindowRateLimiter

from demix.api.jobs import ID, UPLOADING, Job
from demix.api.keys import hash_key, is_known
from demix.api.services import REDIS_PATIENCE_SECONDS, Services
from demix.api.settings import Settings

NOT_FOUND = "expected the id of a separation, found none: it was deleted, it is over, or it never was"


def services_of(request: Request) -> Services:
    """Return what the app works with."""
    services: Services = request.app.state.services
    return services


Shared = Annotated[Services, Depends(services_of)]


def authorised(request: Request, services: Shared) -> str:
    """Return the hash of the caller's key, empty where none is asked for; 401 without a valid one."""
    known = services.settings.api_keys
    if not known:
        return ""
    scheme, _, key = request.headers.get("Authorization", "").partition(" ")
    offered = hash_key(key.strip()) if scheme.lower() == "bearer" else ""
    if not is_known(offered, known):
        raise HTTPException(
            401,
            "API key: expected a valid one as `Authorization: Bearer KEY`, received none; ask who runs this server",
            headers={"WWW-Authenticate": "Bearer"},
        )
    return offered


Owner = Annotated[str, Depends(authorised)]


def find_job(separation_id: str, services: Shared, owner: Owner) -> Job:
    """Return a separation of the caller; 404 for another's, and for none."""
    job = services.jobs.get(separation_id) if ID.fullmatch(separation_id) else None
    if job is None or job.owner != owner or job.status == UPLOADING:
        raise HTTPException(404, NOT_FOUND)
    return job


Found = Annotated[Job, Depends(find_job)]


@dataclass
class Rates:
    """How much one client may ask for: a moving window, in memory or in Redis for many servers."""

    limiter: MovingWindowRateLimiter
    requests: RateLimitItem | None
    separations: RateLimitItem | None

    @classmethod
    def from_settings(cls, settings: Settings) -> "Rates":
        """Keep count where the queue is, so that many servers share it."""
        seconds = REDIS_PATIENCE_SECONDS
        patience = {"socket_timeout": seconds, "socket_connect_timeout": seconds} if settings.queue_url else {}
        storage = storage_from_string(settings.queue_url or "memory://", wrap_exceptions=True, **patience)
        return cls(
            MovingWindowRateLimiter(storage),
            parse(settings.request_limit) if settings.request_limit else None,
            parse(settings.rate_limit) if settings.rate_limit else None,
        )

    def check(self, item: RateLimitItem | None, what: str, client: str) -> None:
        """Count one more; 429 with the time to wait when it is one too many."""
        if item is None:
            return
        try:
            if self.limiter.hit(item, what, client):
                return
            seconds = max(1, round(item.get_expiry()))
        except StorageError:  # a Redis that is away must not close the door
            return
        raise HTTPException(
            429,
            f"expected at most {item} {what}, received more; try again later",
            headers={"Retry-After": str(seconds)},
        )


def client_of(request: Request, owner: str) -> str:
    """Return what a client is known by: its API key, or its address."""
    return owner or (request.client.host if request.client else "unknown")


def limit_requests(request: Request, owner: Owner) -> None:
    """Raise 429 for a client that asks too often."""
    rates: Rates = request.app.state.rates
    rates.check(rates.requests, "requests", client_of(request, owner))


def limit_separations(request: Request, owner: Owner) -> None:
    """Raise 429 for a client that brings too many songs."""
    rates: Rates = request.app.state.rates
    rates.check(rates.separations, "new separations", client_of(request, owner))
