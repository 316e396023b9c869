"""`demix serve`, `demix worker` and `demix api-key`."""

from typing import Annotated, Any

import typer

from demix.errors import DemixError

EXTRA = "the server is not installed ({error}); pip install 'demix-lab[serve]'"


class WithSettings(typer.core.TyperCommand):
    """A command whose help lists the settings; they are looked up when the help is."""

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        """Write the environment variables below the options."""
        settings = _import_settings()
        with formatter.section("Environment"):
            rows = [(name, f"{text} [{default}]" if default else text) for name, default, text in settings.describe()]
            formatter.write_dl(rows)


def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on; 127.0.0.1, this machine, by default.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; 8000 by default.")] = None,
    workers: Annotated[int | None, typer.Option(help="Songs at a time in this process; 1 by default.")] = None,
) -> None:
    """Serve a page to listen with, and an API, at http://localhost:8000; needs no other service.

    Settings come from the environment, options go before them.
    """
    settings = _import_settings().load_settings(host=host, port=port, workers=workers)
    try:
        from demix.api.serving import run
    except ImportError as error:
        raise DemixError(EXTRA.format(error=error)) from error
    run(settings)


def worker(
    songs: Annotated[int, typer.Option("-j", "--jobs", min=1, help="Songs at a time.")] = 1,
) -> None:
    """Separate what a server on this or another machine has queued.

    It takes the same DEMIX_QUEUE_URL, DEMIX_DATABASE_URL and DEMIX_STORAGE_URL as the server, or the same
    DEMIX_DATA_DIR on one machine.
    """
    settings = _import_settings().load_settings()
    try:
        from demix.api.serving import run_worker
    except ImportError as error:
        raise DemixError(EXTRA.format(error=error)) from error
    run_worker(settings, songs=songs)


def api_key() -> None:
    """Make an API key: the key for the client, its hash for the server's DEMIX_API_KEYS."""
    try:
        from demix.api.keys import new_key
    except ImportError as error:
        raise DemixError(EXTRA.format(error=error)) from error
    key, digest = new_key()
    typer.echo(f"key, shown only now:  {key}\nfor DEMIX_API_KEYS:   {digest}")


def _import_settings() -> Any:
    try:
        from demix.api import settings
    except ImportError as error:
        raise DemixError(EXTRA.format(error=error)) from error
    return settings
