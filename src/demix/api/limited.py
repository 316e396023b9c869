"""Calls in a process of their own, with bounds on time and memory: what decodes a stranger's file must not harm others.

A crash of a decoder, a file that never ends, or one that asks for all memory ends that process alone. It also ends when
this one does, however that comes about.
"""

import contextlib
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Generator
from multiprocessing.connection import Connection
from typing import Any

from demix.errors import DemixError

PRELOADED = ["demix.api.work"]  # imported once by the process that all others are forked from
GRACE_SECONDS = 5.0

Send = Callable[[Any], None]
Target = Callable[..., Any]


class StoppedError(DemixError):
    """The process ended without an answer; the sentence says how."""


def run_limited(function: Target, *arguments: Any, seconds: float, megabytes: int | None) -> Any:
    """Call a function in a process of its own and return what it returns.

    Raises:
        DemixError: what the function raised; `StoppedError` when it took too long or crashed.
    """
    for kind, value in stream_limited(function, *arguments, seconds=seconds, megabytes=megabytes):
        if kind == "result":
            return value
    raise StoppedError("its process ended without an answer; try another file")


def stream_limited(
    function: Target,
    *arguments: Any,
    seconds: float,
    megabytes: int | None,
    tick_seconds: float = 1.0,
) -> Generator[tuple[str, Any], None, None]:
    """Call `function(*arguments, send)` in a process of its own and give what comes of it.

    Closing the iterator ends the process.

    Args:
        function: of a module, so that the other process finds it; its last argument sends values.
        arguments: that can be pickled.
        seconds: wall clock after which it is ended.
        megabytes: all of its address space, on systems that know such a bound; None for none: CUDA reserves it all.
        tick_seconds: the longest silence.

    Yields:
        `("tick", None)` when nothing came, `("sent", value)`, and at last `("result", value)`.

    Raises:
        DemixError: what the function raised; `StoppedError` when it took too long or crashed.
    """
    context = _context()
    here, there = context.Pipe()
    process = context.Process(
        target=_serve, args=(there, function, arguments, seconds, megabytes), name="demix-limited", daemon=True
    )
    process.start()
    there.close()
    deadline = time.monotonic() + seconds
    try:
        while True:
            if time.monotonic() > deadline:
                raise StoppedError(f"took longer than {seconds:.0f} s; try a shorter song, or another file")
            if not here.poll(max(0.0, min(tick_seconds, deadline - time.monotonic()))):
                yield "tick", None
                continue
            try:
                kind, value = here.recv()
            except (EOFError, OSError):
                process.join(GRACE_SECONDS)
                raise _crashed(process.exitcode) from None
            if kind == "error":
                raise DemixError(value)
            yield kind, value
            if kind == "result":
                return
    finally:
        process.kill()
        process.join(GRACE_SECONDS)
        here.close()
        with contextlib.suppress(ValueError):  # still alive: the system will collect it
            process.close()


def warm_up() -> None:
    """Start the process that all others are forked from, so that the first call need not wait for its imports."""
    run_limited(_nothing, seconds=60, megabytes=1000)


def _nothing(_send: Send) -> None:
    """Do nothing."""


def _context() -> Any:
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    return context


def _serve(
    there: Connection, function: Target, arguments: tuple[Any, ...], seconds: float, megabytes: int | None
) -> None:
    """Answer in the other process."""
    for name in ("SIGINT", "SIGHUP"):  # Ctrl-C reaches all processes of a terminal; the parent decides for this one
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    threading.Thread(target=_end_with_parent, args=(there,), daemon=True).start()
    _limit(seconds, megabytes)

    def send(value: Any) -> None:
        there.send(("sent", value))

    try:
        answer = ("result", function(*arguments, send))
    except DemixError as error:
        answer = ("error", str(error))
    except MemoryError:
        answer = ("error", "needs more memory than a song may have here; try a shorter one, or fewer channels")
    except OSError as error:
        answer = ("error", f"{error.strerror or error}; try again later")
    there.send(answer)
    there.close()
    os._exit(0)  # without waiting for threads of libraries


def _end_with_parent(there: Connection) -> None:
    """End when the parent has: nothing is ever sent to here, so the first thing that can be read is the end."""
    with contextlib.suppress(EOFError, OSError):
        there.poll(None)
    os._exit(1)


def _limit(seconds: float, megabytes: int | None) -> None:
    if sys.platform == "win32":
        return
    import resource

    cores = os.cpu_count() or 1
    processor_seconds = int(seconds * cores + GRACE_SECONDS)
    resource.setrlimit(resource.RLIMIT_CPU, (processor_seconds, processor_seconds))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if megabytes is not None and sys.platform == "linux":  # elsewhere the bound is ignored, or refused
        bytes_ = megabytes * 1_000_000
        resource.setrlimit(resource.RLIMIT_AS, (bytes_, bytes_))


def _crashed(code: int | None) -> StoppedError:
    how = f"was ended by signal {-code}" if code is not None and code < 0 else "ended without an answer"
    return StoppedError(f"the process that held it {how}; the file may be damaged, or too large for this server")
