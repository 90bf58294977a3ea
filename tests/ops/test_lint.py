"""Read the source of the ops: kernels and rules take everything from their namespace, which is CuPy's too, and read no values."""

import ast
import pathlib

import pytest

import minigrad
from minigrad.testing.double import cupy_api

ROOT = pathlib.Path(minigrad.__file__).parent
OPS = sorted((ROOT / "ops").rglob("*.py"))


def called(path):
    """A file's name within ops: ``shape``, ``special/gamma``."""
    return path.relative_to(ROOT / "ops").with_suffix("").as_posix()


NUMPY = {
    "correlation": "NumPy's warnings in the branch for NumPy",
    "gaussian": "NumPy's warnings in the branch for NumPy",
    "recurrent/steps": "a table for C of where rows lie",
    "creation": "makes arrays on the CPU and sends them where they are wanted",
    "linalg/decompositions": "finfo",
    "normalization/layer": "finfo; integers of NumPy's kinds",
    "indexing": "indices given as lists; NumPy's own way of adding at duplicates",
    "inplace": "values given as lists; tests whether two arrays share memory",
    "joining": "positions given as lists, worked out on the CPU",
    "logic": "values given as lists",
    "methods": "the result of comparing with a stranger",
    "powers": "dtypes, values given as lists",
    "protocols": "NumPy's protocols",
    "random/continuous": "the generator is NumPy's",
    "random/discrete": "the generator is NumPy's",
    "resizing": "positions and widths given as lists, worked out on the CPU",
    "rounding": "dtypes of plain numbers, errstate",
    "selection": "masks given as lists",
    "shape": "shapes of lists, broadcast_shapes",
    "special/incomplete": "constants of a quadrature",
    "special/kernels": "dtypes, errstate",
}
"""The modules that may import NumPy, and what for."""

METADATA = {"dtype", "ndarray", "generic", "bool_", "integer", "floating", "finfo", "iinfo", "errstate", "broadcast_shapes", "ndindex"}
"""What kernels and rules may take from NumPy: nothing that touches the elements of an array."""

READS = {
    ("linalg/equations", "_expm"): "squares as often as the norm asks for: a GPU waits, and it says so",
    ("special/gamma", "hurwitz"): "k counts the terms of a series",
}
"""Calls of float() and the like in kernels or rules, on plain numbers or with a reason."""

IN_NUMPY_ONLY = {
    ("indexing", "add_at"): "behind xp is np",
}
"""Functions with a branch for NumPy alone."""

REDUCERS = {"reduce": {"add", "multiply"}, "accumulate": {"add", "multiply"}, "reduceat": {"add"}}
REDUCERS["at"] = {"add", "subtract", "maximum", "minimum", "bitwise_and", "bitwise_or", "bitwise_xor"}
"""The methods of ufuncs that CuPy carries out."""

GUARDED = {
    ("fused", "add.reduceat"): "on the CPU alone; CuPy's adds up by differences of running sums",
}


def inner(tree):
    """``(name, function)`` of every kernel and rule: functions whose first parameter is xp or g, with all that is in them."""
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.Lambda)):
            args = node.args.posonlyargs + node.args.args
            if args and args[0].arg in ("xp", "g"):
                yield getattr(node, "name", "<lambda>"), node


def dotted(node):
    """``a.b.c`` as a string, or None."""
    parts = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return ".".join([node.id, *reversed(parts)]) if isinstance(node, ast.Name) else None


def numpy_in_kernels(module, tree):
    for name, function in inner(tree):
        for node in ast.walk(function):
            touches = isinstance(node, ast.Attribute) and dotted(node.value) == "np" and node.attr not in METADATA
            if touches and (module, name) not in IN_NUMPY_ONLY:
                yield f"{module}.{name}:{node.lineno} uses np.{node.attr}"


def reads(module, tree):
    """Values read on the host in kernels and rules."""
    for name, function in inner(tree):
        for node in ast.walk(function):
            if not isinstance(node, ast.Call) or (module, name) in READS:
                continue
            if isinstance(node.func, ast.Name) and node.func.id in ("float", "int", "bool", "complex") and node.args:
                plain = all(isinstance(a, ast.Constant) for a in node.args) or "finfo" in ast.dump(node.args[0])
                if not plain:
                    yield f"{module}.{name}:{node.lineno} calls {node.func.id}()"
            elif isinstance(node.func, ast.Attribute) and node.func.attr in ("item", "tolist", "get") and not node.args:
                yield f"{module}.{name}:{node.lineno} calls .{node.func.attr}()"


def unknown_names(module, tree):
    """What is taken from xp and is not in CuPy."""
    known = cupy_api.names()
    for node in ast.walk(tree):
        full = dotted(node) if isinstance(node, ast.Attribute) else None
        if full is None or not full.startswith("xp.") or full.startswith("xp.__"):
            continue
        first, _, rest = full[3:].partition(".")
        if first in ("linalg", "fft", "lib", "random"):
            if rest and full[3:] not in known and not any(k.startswith(full[3:] + ".") for k in known):
                yield f"{module}:{node.lineno} takes {full}"
        elif first not in known:
            yield f"{module}:{node.lineno} takes {full}"
        elif rest in REDUCERS and first not in REDUCERS[rest] and (module, f"{first}.{rest}") not in GUARDED:
            yield f"{module}:{node.lineno} takes {full}, which CuPy does not carry out"


@pytest.mark.parametrize("path", OPS, ids=called)
def test_ops(path):
    tree = ast.parse(path.read_text())
    module = called(path)
    imported = {a.name for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names}
    imported |= {n.module for n in ast.walk(tree) if isinstance(n, ast.ImportFrom) and not n.level}
    assert not {"scipy", "cupy"} & imported
    assert ("numpy" in imported) == (module in NUMPY), f"{module}: the list of those that import NumPy says otherwise"
    assert not [*numpy_in_kernels(module, tree), *reads(module, tree), *unknown_names(module, tree)]


@pytest.mark.parametrize("path", sorted(set(ROOT.rglob("*.py")) - set(OPS)), ids=lambda p: str(p.relative_to(ROOT)))
def test_names_elsewhere(path):
    assert not list(unknown_names(path.stem, ast.parse(path.read_text())))


@pytest.mark.parametrize(
    ("check", "source"),
    [
        (numpy_in_kernels, "k = lambda xp: lambda x: np.exp(x)"),
        (numpy_in_kernels, "def rule(g, x):\n    return g * np.float64(2)"),
        (reads, "def kernel(xp, x):\n    return x * float(x.max())"),
        (reads, "rule = lambda g, x: g * x.max().item()"),
        (reads, "def kernel(xp, x):\n    def f(y):\n        return int(y)\n    return f(x)"),
        (unknown_names, "k = lambda xp: lambda x: xp.geomspace(x)"),
        (unknown_names, "k = lambda xp: xp.linalg.expm"),
        (unknown_names, "k = lambda xp: xp.maximum.reduce"),
    ],
)
def test_the_lint_sees(check, source):
    assert list(check("planted", ast.parse(source)))


def test_the_lint_passes():
    source = "def kernel(xp, x):\n    return xp.add.reduce(xp.linalg.inv(x), 0) * float('inf') + np.finfo(x.dtype).eps"
    assert not [f for check in (numpy_in_kernels, reads, unknown_names) for f in check("planted", ast.parse(source))]
