"""What this installation computes with: versions, devices, and the kernels in C and in CUDA."""

import platform

import numpy as np

from .backend import compiled, cuda
from .backend.devices import devices


def configuration() -> list[str]:
    """Versions, devices, the C compiler, its cache, threads, and the kernels that are in use so far, a line each.

    Example:
        >>> from minigrad.configuration import configuration
        >>> configuration()[2].split()[0]
        'NumPy'
    """
    from . import __version__

    return [
        f"minigrad   {__version__}",
        f"Python     {platform.python_version()} on {platform.system()} {platform.machine()}",
        f"NumPy      {np.__version__}",
        *[f"{'' if i else 'devices':10} {line}" for i, line in enumerate(devices())],
        *compiled.report(),
        *cuda.report(),
    ]


def show_config() -> None:
    """Print versions, devices, the C compiler, its cache, threads, and the kernels that are in use so far.

    Example:
        >>> import minigrad as mg
        >>> mg.show_config()  # doctest: +ELLIPSIS
        minigrad   ...
    """
    print("\n".join(configuration()))


__all__ = ["configuration", "show_config"]
