"""The folder of compiled libraries: the user's own, written by nobody else, or none.

What is loaded from it runs with the user's rights, so a library counts only if it and its folder belong to the user, others cannot
write to either, and no folder above is one in which somebody else could put another in their place.
"""

import atexit
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_private: Path | None = None


def wished() -> Path | None:
    """Where the cache should be: $MINIGRAD_CACHE, else $XDG_CACHE_HOME/minigrad/kernels, else ~/.cache/minigrad/kernels; None: nowhere."""
    if own := os.environ.get("MINIGRAD_CACHE"):
        return Path(own).absolute()
    base = os.environ.get("XDG_CACHE_HOME", "")
    if not os.path.isabs(base):
        home = os.path.expanduser("~")
        if not os.path.isabs(home):
            return None
        base = os.path.join(home, ".cache")
    return Path(base, "minigrad", "kernels")


def folders() -> Iterator[Path]:
    """The folders to load from, and to write to if they can be written to: the one wished for, if trusted, and one for this process."""
    place = wished()
    if place is not None:
        try:
            place.mkdir(mode=0o700, parents=True, exist_ok=True)
            place = place.resolve(strict=True)
            trusted = reason_against(place) is None
        except (OSError, RuntimeError):  # read-only, full, not a folder, a loop of links: as good as none
            trusted = False
        if trusted:
            yield place
    yield private_folder()


def private_folder() -> Path:
    """A new folder of mode 700, which goes when the process ends.

    Raises:
        OSError: there is no place for temporary files.
    """
    global _private
    if _private is None or not _private.is_dir():
        made = Path(tempfile.mkdtemp(prefix="minigrad-")).resolve()
        process = os.getpid()

        def remove() -> None:
            if os.getpid() == process:  # and not a process forked from it
                shutil.rmtree(made, ignore_errors=True)

        atexit.register(remove)
        _private = made
    return _private


def reason_against(place: Path) -> str | None:
    """Why nothing may be loaded from this folder, whose path has no links; None: it may."""
    state = os.lstat(place)
    if not stat.S_ISDIR(state.st_mode):
        return f"{place} is not a folder"
    if state.st_uid != os.geteuid():
        return f"{place} belongs to another user"
    if state.st_mode & 0o022:
        return f"others may write to {place}"
    for parent in place.parents:
        state = os.lstat(parent)
        if state.st_uid not in (0, os.geteuid()):
            return f"{parent} belongs to another user"
        others = state.st_mode & 0o002
        group = state.st_mode & 0o020 and not _is_own_group(state.st_gid)
        if (others or group) and not state.st_mode & stat.S_ISVTX:
            return f"others may write to {parent}"
    return None


def _is_own_group(group: int) -> bool:
    """Whether the group is the user's alone, as where every user is given a group of the same number; root's is as good."""
    return group == 0 or group == os.getegid() == os.geteuid()


def is_trusted(library: Path) -> bool:
    """Whether this file is the user's own: a plain file, no link, that nobody else can write to, in a folder of that kind."""
    try:
        state = os.lstat(library)
        return (
            stat.S_ISREG(state.st_mode)
            and state.st_uid == os.geteuid()
            and not state.st_mode & 0o022
            and library.parent == library.parent.resolve(strict=True)
            and reason_against(library.parent) is None
        )
    except OSError:
        return False


@contextmanager
def workshop(place: Path) -> Iterator[Path]:
    """A folder in the cache in which a library is made; it goes at the end."""
    with tempfile.TemporaryDirectory(prefix="making-", dir=place) as made:
        yield Path(made)


def put(made: Path, library: Path) -> None:
    """Move a finished file to its name, whole or not at all, whoever else does the same at that time."""
    os.chmod(made, 0o600)
    with open(made, "rb") as f:
        os.fsync(f.fileno())
    os.replace(made, library)
