"""The house: floors import downwards, the import is light, every public name is real, every op has a row."""

import ast
import pathlib
import subprocess
import sys

import pytest

import minigrad as mg

ROOT = pathlib.Path(mg.__file__).parent
FLOORS = {
    "errors": 0,
    "backend": 1,
    "autograd": 2,
    "ops": 3,
    "nn": 4,
    "optim": 5,
    "amp": 6,
    "data": 5,
    "io": 5,
    "metrics": 5,
    "regularizers": 6,
    "array_api": 5,
    "viz": 6,
    "debug": 7,
    "captured": 6,
    "launched": 5,
    "distributed": 6,
    "testing": 6,
    "train": 7,
    "configuration": 7,
    "__init__": 8,
    "commands": 9,
    "demo": 9,
    "__main__": 10,
}
MODULES = (
    mg,
    mg.linalg,
    mg.fft,
    mg.special,
    mg.random,
    mg.nn,
    mg.nn.functional,
    mg.optim,
    mg.amp,
    mg.data,
    mg.debug,
    mg.distributed,
    mg.viz,
    mg.testing,
    mg.io,
)
OPTIONAL = ("cupy", "graphviz", "matplotlib", "torch", "mpi4py", "tqdm", "ml_dtypes", "scipy")


def part(path):
    first = path.relative_to(ROOT).parts[0]
    return first.removesuffix(".py")


def targets(path):
    """The parts of the package that a file imports, with the line numbers, and whether that is inside a function."""
    package = ("minigrad", *path.relative_to(ROOT).parts[:-1])
    tree = ast.parse(path.read_text())
    functions = [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef)]
    inside = {id(n) for f in functions for n in ast.walk(f)}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            if node.level:
                base = package[: len(package) - node.level + 1]
                full = (*base, *(node.module.split(".") if node.module else ()))
            else:
                full = tuple((node.module or "").split("."))
            if full[0] != "minigrad":
                continue
            for name in [full[1]] if len(full) > 1 else [a.name for a in node.names]:
                yield name if name in FLOORS else "__init__", node.lineno, id(node) in inside
        elif isinstance(node, ast.Import):
            for a in node.names:
                if a.name.split(".")[0] == "minigrad":
                    yield [*a.name.split("."), "__init__"][1], node.lineno, id(node) in inside


@pytest.mark.parametrize("path", sorted(ROOT.rglob("*.py")), ids=lambda p: str(p.relative_to(ROOT)))
def test_floors_import_downwards(path):
    own = part(path)
    allowed = {("autograd", "ops"), ("testing", "__init__"), ("ops", "testing"), ("configuration", "__init__")}  # inside functions
    for other, line, nested in targets(path):
        if own != other and not (nested and (own, other) in allowed):
            assert FLOORS[other] < FLOORS[own], f"{path.name}:{line} imports {other}, which is not below {own}"


def test_every_part_has_a_floor():
    parts = {p.name.removesuffix(".py") for p in ROOT.iterdir() if p.suffix == ".py" or (p / "__init__.py").exists()}
    assert parts == set(FLOORS)


def test_only_numpy_is_imported():
    code = f"import sys, minigrad; print([m for m in {OPTIONAL!r} if m in sys.modules])"
    out = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


def test_cupy_is_named_by_the_backend_alone():
    for path in ROOT.rglob("*.py"):
        if part(path) != "backend":
            for node in ast.walk(ast.parse(path.read_text())):
                names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
                if isinstance(node, ast.ImportFrom):
                    names = [node.module or ""]
                assert not any(n.split(".")[0] == "cupy" for n in names), path


def test_public_names_exist():
    for module in (mg.autograd, *MODULES):
        for name in module.__all__:
            assert getattr(module, name, None) is not None, f"{module.__name__}.{name}"
        assert len(set(module.__all__)) == len(module.__all__), module.__name__


def test_every_public_function_has_a_docstring():
    bare = []
    for module in MODULES:
        bare += [f"{module.__name__}.{n}" for n in module.__all__ if callable(getattr(module, n)) and not getattr(module, n).__doc__]
    assert not bare


def test_version_and_types_marker():
    assert mg.__version__ == "0.1.0"
    assert (ROOT / "py.typed").exists()


def test_files_are_small():
    long = {str(p.relative_to(ROOT)): n for p in ROOT.rglob("*.py") if (n := len(p.read_text().splitlines())) > 400}
    assert not long
