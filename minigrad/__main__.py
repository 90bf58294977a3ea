"""The command line: ``minigrad demo`` and ``minigrad info``, or ``python -m minigrad ...``."""

import argparse
import importlib.metadata
import importlib.util
import shutil
import sys
from collections.abc import Sequence

import minigrad as mg
from minigrad.configuration import configuration

OPTIONAL = {
    "cupy": "arrays on a GPU",
    "graphviz": "drawing graphs in other formats than svg",
    "matplotlib": "curves as png",
    "ml_dtypes": "bfloat16",
    "tqdm": "progress bars",
}


def parser() -> argparse.ArgumentParser:
    """What the command line understands."""
    p = argparse.ArgumentParser(prog="minigrad", description=mg.__doc__.splitlines()[0])  # type: ignore[union-attr]
    p.add_argument("--version", action="version", version=f"minigrad {mg.__version__}")
    commands = p.add_subparsers(dest="command", required=True, metavar="command")
    demo = commands.add_parser("demo", help="train a small convolutional net on handwritten digits")
    demo.add_argument(
        "--dataset", choices=("digits", "mnist"), default="digits", help="digits comes with the package (default: %(default)s)"
    )
    demo.add_argument("--epochs", type=_count, help="times through the training set (default: 20 for digits, 1 for mnist)")
    demo.add_argument("--out", default="minigrad-demo", metavar="DIR", help="folder for what comes of it (default: ./%(default)s)")
    demo.add_argument("--seed", type=_count, default=0, help="fixes everything that is drawn at random (default: %(default)s)")
    commands.add_parser("info", help="versions, devices, kernels in C and optional packages")
    return p


def _count(text: str) -> int:
    if not text.isdigit():
        raise argparse.ArgumentTypeError(f"expected an integer >= 0, got {text!r}")
    return int(text)


def info() -> str:
    """Versions, devices, kernels and optional packages, a line each."""
    lines = configuration()
    for name, use in OPTIONAL.items():
        lines.append(f"{name:10s} {_version(name) or 'not installed'} ({use})")
    lines.append(f"dot        {shutil.which('dot') or 'not found'} (the program of graphviz)")
    return "\n".join(lines)


def _version(name: str) -> str | None:
    if importlib.util.find_spec(name) is None:
        return None
    for dist in importlib.metadata.packages_distributions().get(name, [name]):
        return importlib.metadata.version(dist)
    return "installed"


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit status."""
    args = parser().parse_args(argv)
    if args.command == "info":
        print(info())
        return 0
    from .demo import run

    try:
        run(args.dataset, args.epochs, args.out, args.seed)
    except (OSError, mg.errors.MinigradError) as error:
        print(f"minigrad demo: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("minigrad demo: stopped", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
