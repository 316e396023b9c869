"""Keep freed memory in the process: training on a CPU otherwise spends half its time in page faults.

glibc hands every block over 128 KiB back to the system when it is freed and asks for it anew at the next step,
page by page. Telling it to keep the memory makes a training step 1.4 to 2 times as fast on two cores
(`benchmarks/README.md`).
"""

import ctypes
import sys

_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4  # malloc.h of glibc


def keep_freed_memory() -> bool:
    """Ask glibc to keep freed memory for reuse; return whether there was a glibc that agreed."""
    if not sys.platform.startswith("linux"):
        return False
    library = ctypes.CDLL(None)
    if not hasattr(library, "mallopt"):
        return False
    return bool(library.mallopt(_M_MMAP_MAX, 0) and library.mallopt(_M_TRIM_THRESHOLD, 2**31 - 1))
