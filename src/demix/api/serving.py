"""`demix serve` and `demix worker` as processes: started, told about, and stopped by signals without losing a song."""

import logging
import os
import signal
import socket
import threading
from typing import Any

import uvicorn

from demix.api.app import create_app
from demix.api.guard import LOOPBACK
from demix.api.services import Services, open_services
from demix.api.settings import PREFIX, Settings
from demix.api.worker import working
from demix.errors import DemixError

GRACE_SECONDS = 5  # for answers under way when the server stops
CLIENT_KEY = "DEMIX_API_KEY"  # read by demix.client
ANY_ADDRESS = ("0.0.0.0", "::")  # noqa: S104  # to be shown as localhost


def run(settings: Settings) -> None:
    """Serve until a signal comes.

    Raises:
        DemixError: when the port is taken, or a setting cannot be used.
    """
    _log_to_terminal()
    services = open_services(settings)
    app = create_app(settings, services)
    listening = _listen(settings.host, settings.port)
    port = listening.getsockname()[1]
    shown = "localhost" if settings.host in ("127.0.0.1", *ANY_ADDRESS) else settings.host
    logging.getLogger("demix.api").info("demix serves at http://%s:%d (Ctrl-C ends it)", shown, port)
    _warn(settings)
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        lifespan="on",
        server_header=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
        proxy_headers=True,
        forwarded_allow_ips=settings.proxies,
    )
    server = _Server(config)
    server.services = services
    for number in (signal.SIGINT, signal.SIGTERM):  # uvicorn stops at both, and then raises them for who was before
        signal.signal(number, lambda *_: None)
    try:
        server.run([listening])
    finally:
        listening.close()
    if not server.started:
        raise SystemExit(1)


def run_worker(settings: Settings, *, songs: int) -> None:
    """Work until a signal comes.

    Raises:
        DemixError: when a setting cannot be used.
    """
    _log_to_terminal()
    services = open_services(settings)
    stop = threading.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda *_: stop.set())
    try:
        with working(services, songs=songs):
            logging.getLogger("demix.api").info("demix works on %d song(s) at a time (Ctrl-C ends it)", songs)
            stop.wait()
    finally:
        services.close()


class _Server(uvicorn.Server):
    """Tells streams of events to end at the first signal: they would hold the server up otherwise."""

    services: Services

    def handle_exit(self, sig: int, frame: Any) -> None:
        """Stop; the songs at work go back to the queue."""
        self.services.stopping.set()
        super().handle_exit(sig, frame)


def _warn(settings: Settings) -> None:
    """Tell of settings that are allowed and seldom meant."""
    log = logging.getLogger("demix.api")
    known = {PREFIX + name.upper() for name in Settings.model_fields} | {CLIENT_KEY}
    for name in sorted(set(os.environ) - known):
        if name.startswith(PREFIX):
            log.warning("%s is no setting; see demix serve --help", name)
    if settings.host not in LOOPBACK and not settings.api_keys:
        log.warning("open to all who reach %s: no DEMIX_API_KEYS, see demix api-key", settings.host)


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    # The protocol is named, or asyncio does not switch Nagle's algorithm off, which costs 40 ms an answer.
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except (OSError, OverflowError) as error:
        listening.close()
        reason = getattr(error, "strerror", None) or error
        raise DemixError(f"{host}:{port}: cannot listen there ({reason}); choose another --port or --host") from error
    listening.listen(2048)
    listening.set_inheritable(True)
    return listening


def _log_to_terminal() -> None:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", datefmt="%H:%M:%S")
    logging.getLogger("huey").setLevel(logging.CRITICAL)  # of a queue that is away the janitor tells
    for name in ("uvicorn.error", "uvicorn"):
        logging.getLogger(name).setLevel(logging.WARNING)
