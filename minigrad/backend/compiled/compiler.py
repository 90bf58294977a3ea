"""The system's C compiler: where it is found, and how it is asked for a library."""

import importlib.util
import os
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

SOURCES = Path(__file__).parent / "sources"
FLAGS = (
    *("-std=gnu11", "-O3", "-shared", "-fPIC", "-pthread", "-fopenmp-simd"),
    *("-fno-math-errno", "-fno-trapping-math"),  # C's error reports, which nobody reads; values stay those of IEEE 754
    "-ffp-contract=fast",  # a * b + c rounded once
    f"-DHEAD={object.__basicsize__}",
)
NATIVE = (("-march=native",), ("-mcpu=native",), ())
"""What makes code for this very processor, in the compilers' several ways; at worst it is for any of its kind."""
PATIENCE = 300
"""Seconds after which a compiler hangs."""


class BuildError(Exception):
    """Why there are no kernels in C, or not these: a line to be shown."""


@dataclass(frozen=True)
class Compiler:
    """A command that compiles C, and what it says of its version."""

    command: tuple[str, ...]
    version: str
    options: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{shlex.join([*self.command, *self.options])} ({self.version})"

    def build(self, source: Path, target: Path, place: Path, flags: tuple[str, ...] = FLAGS) -> None:
        """Compile one file of C; the compiler may leave things of its own in the folder ``place``.

        Raises:
            BuildError: it cannot be compiled, with the first line of what the compiler says.
        """
        said = ""
        for native in NATIVE:
            words = [*self.command, *flags, *native, *self.options, "-o", str(target), str(source), "-lm", "-ldl"]
            status, said = run(words, place)
            if status == 0 and target.is_file():
                return
        lines = said.strip().splitlines() or ["it says nothing"]
        line = next((line for line in lines if "error" in line.lower()), lines[-1])
        raise BuildError(f"{shlex.join(self.command)} cannot compile {source.name}: {line.strip()[:300]}")


def run(words: list[str], place: Path | None = None) -> tuple[int, str]:
    """A command's status and what it said; 127 where it cannot be started or does not come to an end."""
    environment = {**os.environ, "LC_ALL": "C"}
    if place is not None:  # read by zig alone, which would put its cache into the home folder
        environment.setdefault("ZIG_LOCAL_CACHE_DIR", str(place / "zig"))
        environment.setdefault("ZIG_GLOBAL_CACHE_DIR", str(place / "zig"))
    try:
        done = subprocess.run(
            words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=PATIENCE,
            env=environment,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return 127, str(error)
    return done.returncode, done.stdout.decode(errors="replace")


def wanted() -> bool:
    """Whether kernels in C may be used at all: a matter of the machine and of the user's word."""
    return os.name == "posix" and sys.implementation.name == "cpython" and os.environ.get("MINIGRAD_CC", "").strip() != "0"


def find() -> Compiler | None:
    """The compiler to use: the one that MINIGRAD_CC names, else cc, gcc, clang, else that of the package ziglang; None: there is none.

    Raises:
        BuildError: it is named and not there, or does not run.
    """
    asked = os.environ.get("MINIGRAD_CC", "").strip()
    if asked:
        first, *options = shlex.split(asked)
        program = shutil.which(first)
        if program is None:
            raise BuildError(f"MINIGRAD_CC={asked!r} names a compiler that is not there")
        return described((program,), tuple(options))
    for name in ("cc", "gcc", "clang"):
        program = shutil.which(name)
        if program is not None and not _is_placeholder(program):
            return described((program,))
    if sys.executable and importlib.util.find_spec("ziglang") is not None:
        return described((sys.executable, "-P", "-m", "ziglang", "cc"))
    return None


def described(command: tuple[str, ...], options: tuple[str, ...] = ()) -> Compiler:
    """The compiler of this command, asked for its version."""
    status, said = run([*command, "--version"])
    if status or not said.strip():
        raise BuildError(f"the compiler {shlex.join(command)} does not run: {(said.strip().splitlines() or ['it says nothing'])[0][:300]}")
    return Compiler(command, said.strip().splitlines()[0], options)


def _is_placeholder(program: str) -> bool:
    """Whether this is macOS's stand-in for a compiler that is not installed, which would open a window."""
    return sys.platform == "darwin" and program.startswith("/usr/bin/") and run(["/usr/bin/xcode-select", "-p"])[0] != 0


def processor() -> str:
    """What is known of the processor: code made for one may crash another."""
    try:
        with open("/proc/cpuinfo") as f:
            first = f.read().partition("\n\n")[0]
    except OSError:
        return run(["sysctl", "-n", "machdep.cpu.brand_string"])[1] if sys.platform == "darwin" else os.uname().machine
    told = ("vendor_id", "cpu family", "model", "model name", "flags", "CPU implementer", "CPU part", "Features", "isa", "cpu")
    kept = [line for line in first.splitlines() if line.partition(":")[0].strip() in told]
    return "\n".join([os.uname().machine, *kept])
