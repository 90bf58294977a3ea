"""How many threads kernels run on."""

import os


def count() -> int:
    """MINIGRAD_THREADS, else OMP_NUM_THREADS, else the processors that this process may use."""
    for name in ("MINIGRAD_THREADS", "OMP_NUM_THREADS"):
        asked = os.environ.get(name, "").partition(",")[0].strip()  # OpenMP's may be a list, one for each level
        if asked.isdigit() and int(asked) > 0:
            return min(int(asked), 256)
    return max(1, min(_allowed(), 256))


def _allowed() -> int:
    """Processors by affinity, and no more than the quota of the container."""
    try:
        n = len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS
        n = os.cpu_count() or 1
    try:
        with open("/sys/fs/cgroup/cpu.max") as f:
            quota, period = f.read().split()
        return n if quota == "max" else min(n, max(1, round(int(quota) / int(period))))
    except (OSError, ValueError, ZeroDivisionError):
        return n
