"""How the processes that torchrun starts find each other, and how they end: together, with one sentence between them.

They meet in a store that torchrun keeps. It outlives the processes, and so do the addresses that they leave in it: when
torchrun starts all of them anew, PyTorch 2.13 takes these for addresses of the living and waits for the dead
(https://github.com/pytorch/pytorch/issues/135712). So the processes agree each time on a corner of the store that is
new. The number of restarts would not do for its name: every machine counts its own.
"""

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import NoReturn
from uuid import uuid4

from torch import distributed
from torch.distributed.distributed_c10d import PrefixStore, Store
from torch.distributed.rendezvous import rendezvous

from demix.errors import DemixError

PATIENCE = timedelta(hours=2)  # how long ranks wait for the one that prepares songs; torchrun sees those that died
LATENESS = timedelta(minutes=10)  # of a process that torchrun has started, on whatever machine
GRACE_SECONDS = 3.0  # for a process that is told to end to do so in order
_LOOK_SECONDS = 0.02
_BAD_INPUT, _INTERRUPTED = 2, 130  # exit statuses, as of the command line


class _LostError(DemixError):
    """Another process is gone: the one error here that starting all anew is good for."""


@dataclass(frozen=True)
class Meeting:
    """The processes that torchrun has started together.

    Args:
        rank: number of this process among all.
        size: number of processes.
        local: number of this process on its machine.
        again: whether torchrun has started processes before these, as it does when one has died; known to rank 0.
        store: what torchrun keeps until it ends itself.
        corner: the part of it that these processes alone use.
    """

    rank: int
    size: int
    local: int
    again: bool
    store: Store
    corner: Store

    def speaks(self) -> bool:
        """Tell whether this process is the first of all with something to say; of a store that is gone nobody is."""
        try:
            return self.corner.add("speakers", 1) == 1
        except RuntimeError:
            return False


@contextmanager
def meeting() -> Iterator[Meeting | None]:
    """Meet the other processes if torchrun has started this one; let one process say what goes wrong for all.

    The first that has something to say leaves by its error, the others in silence with the same status. What one
    process has told the user is not tried again: torchrun may start all anew, and they end at once.
    """
    if not distributed.is_torchelastic_launched():
        yield None
        return
    _end_when_told()
    met = _meet()
    if met.store.check(["demix/told"]):
        raise SystemExit(_BAD_INPUT)
    try:
        try:
            yield met
        except RuntimeError as error:
            if not _is_loss(error):
                raise
            time.sleep(GRACE_SECONDS)  # torchrun sees which process is lost, says so, and ends those on its machine
            raise _LostError(
                f"process {met.rank} of {met.size}: expected the others to stay, lost one, of which torchrun says how "
                "it ended; go on with the run by --resume, or let torchrun do so by --max-restarts"
            ) from error
    except (DemixError, OSError) as error:
        if not met.speaks():
            end_in_silence()
        if not isinstance(error, _LostError):
            met.store.set("demix/told", "yes")
        raise
    except KeyboardInterrupt:
        if not met.speaks():
            raise SystemExit(_INTERRUPTED) from None
        raise


def end_in_silence() -> NoReturn:
    """End this process because of another one, which says why: later than that one, after whose end torchrun ends all.

    Else torchrun might end the other before it has spoken.
    """
    time.sleep(GRACE_SECONDS)
    raise SystemExit(_BAD_INPUT)


def _meet() -> Meeting:
    store, rank, size = next(rendezvous("env://", timeout=PATIENCE))
    again = rank == 0 and store.add("demix/meetings", 1) > 1
    corner = PrefixStore(f"demix/{agree(store, rank, size)}", store)
    return Meeting(rank, size, int(os.environ["LOCAL_RANK"]), again, store, corner)


def agree(store: Store, rank: int, size: int) -> str:
    """Return a name that all living processes agree on, whatever the dead have left in the store.

    Everyone calls itself by a new name. Rank 0 tells its own to every name that it reads; the name of a dead process
    does not answer, and is replaced by that of the living one once it is there.
    """
    mine = uuid4().hex
    deadline = time.monotonic() + LATENESS.total_seconds()

    def wait() -> None:
        if time.monotonic() > deadline:
            raise DemixError(
                f"process {rank}: expected {size} processes to meet, missed some for {LATENESS.seconds // 60} minutes; "
                "look for a machine that did not start, or cannot reach the others"
            )
        time.sleep(_LOOK_SECONDS)

    if rank > 0:
        store.set(f"demix/name/{rank}", mine)
        while not store.check([f"demix/answer/{mine}"]):
            wait()
        corner = store.get(f"demix/answer/{mine}").decode()
        store.set(f"demix/{corner}/came/{rank}", "yes")
        return corner
    absent = set(range(1, size))
    while absent:
        for other in absent:
            if store.check([f"demix/name/{other}"]):
                store.set(f"demix/answer/{store.get(f'demix/name/{other}').decode()}", mine)
        wait()
        absent = {other for other in absent if not store.check([f"demix/{mine}/came/{other}"])}
    return mine


def _is_loss(error: RuntimeError) -> bool:
    """Tell whether an error says that another process, or torchrun's store, is gone; gloo has no type for it."""
    return isinstance(error, distributed.DistError) or "gloo/transport" in str(error)


def _end_when_told() -> None:
    """Let SIGTERM end this process within seconds even while its main thread waits for another process.

    Python handles signals between two steps of its main thread, and a collective is one long step: on a GPU it may wait
    for a lost process for ever. torchrun would kill it after 30 s.
    """
    if sys.platform == "win32":  # it has no signals that could be told apart here
        return
    read, write = os.pipe()
    os.set_blocking(write, False)
    signal.set_wakeup_fd(write)  # the system's handler writes each signal's number there, at once

    def watch() -> None:
        while os.read(read, 1)[0] != signal.SIGTERM:
            pass
        time.sleep(GRACE_SECONDS)
        os._exit(128 + signal.SIGTERM)

    threading.Thread(target=watch, daemon=True).start()
