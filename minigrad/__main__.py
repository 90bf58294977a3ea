"""The command line: ``minigrad demo | info | graph | summary | profile``, or ``python -m minigrad ...``."""

import argparse
import importlib.metadata
import importlib.util
import shutil
import sys
from collections.abc import Sequence
from typing import Any

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
    graph = _about(commands, "graph", "draw the graph behind the loss that a function returns", "FILE.py:function")
    graph.add_argument(
        "--out", default="graph.html", help="file; its ending says how: .html .svg .png .pdf .dot .mmd .txt .json (default: %(default)s)"
    )
    graph.add_argument("--mode", choices=("forward", "backward", "both"), default="both", help="default: %(default)s")
    graph.add_argument("--shape", nargs="+", default=[], metavar="N,C,...", help="of the inputs, for a model in place of a function")
    summary = _about(commands, "summary", "list the layers of a model", "FILE.py:model")
    summary.add_argument("--shape", nargs="+", required=True, metavar="N,C,...", help="of the inputs")
    summary.add_argument("--depth", type=_count, help="how deep to list modules within modules (default: all the way)")
    profile = _about(commands, "profile", "measure where the time of a step goes, by op and by module", "FILE.py:step")
    profile.add_argument("--steps", type=_count, default=10, help="how often to call it, after two calls to warm up (default: %(default)s)")
    profile.add_argument("--out", metavar="TRACE.json", help="a file that chrome://tracing and Perfetto show")
    return p


def _about(commands: Any, name: str, does: str, what: str) -> argparse.ArgumentParser:
    """The parser of a command that is about something in a file of the user's."""
    command = commands.add_parser(name, help=does, description=does.capitalize() + ".")
    command.add_argument("target", metavar=what, help="a file and a name in it, or package.module:name")
    return command


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
    try:
        _run(args)
    except (OSError, ImportError, ValueError, mg.errors.MinigradError) as error:
        print(f"minigrad {args.command}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"minigrad {args.command}: stopped", file=sys.stderr)
        return 130
    return 0


def _run(args: argparse.Namespace) -> None:
    """What imports more than the other commands need."""
    if args.command == "demo":
        from .demo import run

        run(args.dataset, args.epochs, args.out, args.seed)
        return
    from . import commands

    if args.command == "graph":
        print(commands.graph(args.target, args.out, args.mode, args.shape))
    elif args.command == "summary":
        print(commands.summary(args.target, args.shape, args.depth))
    else:
        print(commands.profile(args.target, args.steps, args.out))


if __name__ == "__main__":
    sys.exit(main())
