"""What is known of the kernels in C, as text."""

import os

from . import cache, compiler, forms, library, threads
from .compiler import BuildError


def report() -> list[str]:
    """Compiler, cache, threads and the kernels in use, a line each; a compiler is looked for, but nothing is compiled."""
    if not compiler.wanted():
        reason = "MINIGRAD_CC=0" if os.name == "posix" else "on this system all kernels are NumPy's"
        return [f"compiler   not used ({reason})"]
    try:
        found = compiler.find()
        cc = str(found) if found else "none found (cc, gcc, clang, or the package ziglang: pip install 'minigrad[fast]')"
    except BuildError as error:
        cc = f"none ({error})"
    place = cache.wished()
    lines = [f"compiler   {cc}", f"cache      {place or 'a folder for each process'}", f"threads    {threads.count()}"]
    for family, state in sorted(library.state().items()):
        lines.append(f"kernels    {family}: {state}")
    lines.append(f"in C       {' '.join(forms.names()) or 'nothing yet; a kernel is compiled when it is first needed'}")
    return lines
