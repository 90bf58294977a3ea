"""What becomes of the memory of arrays that die: it stays with the process, for the next ones.

A training step makes and drops the same arrays as the one before. The C library of Linux (glibc) hands what is free at the end of its
heap back to the system after each step, and takes it anew in the next: page by page, each cleared and mapped with a fault of its own,
thousands in a step of a small convolutional net. With higher limits there are none.
"""

import ctypes
import os

LARGEST = 32 << 20
"""Up to this size arrays share one heap, beyond it each has pages of its own; to this limit glibc goes by itself when such arrays die."""
BOUND = 256 << 20
"""The most bytes that stay free at the end of the heap; glibc's own limit is 64 MiB then."""
TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3
"""What glibc's malloc.h calls these two limits."""


def keep() -> bool:
    """Set glibc's limits, for the whole process; whether that was done.

    Not with MINIGRAD_KEEP_MEMORY=0, not where the user has set such limits (MALLOC_TRIM_THRESHOLD_, MALLOC_MMAP_THRESHOLD_,
    GLIBC_TUNABLES), and not with another C library.
    """
    of_user = ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_")
    if os.environ.get("MINIGRAD_KEEP_MEMORY", "").strip() == "0" or any(name in os.environ for name in of_user):
        return False
    if "glibc.malloc" in os.environ.get("GLIBC_TUNABLES", "") or not _is_glibc():
        return False
    mallopt = ctypes.CDLL(None).mallopt
    return bool(mallopt(MMAP_THRESHOLD, LARGEST) and mallopt(TRIM_THRESHOLD, BOUND))


def _is_glibc() -> bool:
    try:
        return (os.confstr("CS_GNU_LIBC_VERSION") or "").startswith("glibc")
    except (AttributeError, OSError, ValueError):  # no such function; no such name
        return False
