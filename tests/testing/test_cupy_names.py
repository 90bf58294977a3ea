"""Against the real CuPy, where it can be imported (which needs no GPU): what minigrad takes from a namespace is there, and what the
double says of CuPy's names and signatures is so."""

import ast
import functools
import inspect
import pathlib
import re
import types

import pytest

import minigrad
from minigrad.autograd.op import registry
from minigrad.testing.double import cupy_api

cupy = pytest.importorskip("cupy", exc_type=ImportError)
ROOT = pathlib.Path(minigrad.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))
OURS = {"__name__", "through"}
"""What is asked of any namespace, and may be missing."""


def found(name):
    return functools.reduce(getattr, name.split("."), cupy)


# -- what minigrad takes ----------------------------------------------------------------------------------------------
def chain(node):
    """``xp.linalg.inv`` as ``linalg.inv``; so for ``namespace(...)``; None for other expressions."""
    parts = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    space = isinstance(node, ast.Name) and node.id == "xp"
    space |= isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "namespace"
    return ".".join(reversed(parts)) if space and parts else None


def taken(tree):
    """Names that are taken from a namespace, with their lines."""
    for node in ast.walk(tree):
        name = chain(node) if isinstance(node, ast.Attribute) else None
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "getattr" and len(node.args) == 2:
            of, what = node.args
            if ast.unparse(of) == "xp" and isinstance(what, ast.Constant):
                name = what.value
        if name and name.split(".")[0] not in OURS:
            yield node.lineno, name


def missing(tree):
    """Those that the real CuPy has not; of what is no module, such as a ufunc, the attributes count too."""
    out = []
    for line, name in taken(tree):
        place = cupy
        for part in name.split("."):
            if not hasattr(place, part):
                out.append(f"line {line}: {name}")
                break
            place = getattr(place, part)
            if not isinstance(place, (types.ModuleType, cupy.ufunc)):
                break
    return out


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.relative_to(ROOT).with_suffix("").as_posix())
def test_names_are_in_cupy(path):
    assert not missing(ast.parse(path.read_text()))


def test_kernels_that_are_functions_of_the_namespace():
    for name, f in registry.items():
        if f.op.kernels.make is None:
            assert hasattr(cupy, f.op.kernels.name), name


def test_a_name_that_is_missing_is_seen():
    for source in ("xp.geomspace(1)", "namespace(type(a)).block([a])", "xp.linalg.expm", "getattr(xp, 'vecdot')", "xp.add.nothing"):
        assert missing(ast.parse(source))
    for source in ("xp.exp", "namespace(type(a)).linalg.inv(a)", "xp.add.reduce", "getattr(xp, 'through', None)", "xp.float32.anything"):
        assert not missing(ast.parse(source))


# -- what the double says ---------------------------------------------------------------------------------------------
def parameters(f):
    """The signature in the words of the list."""
    try:
        given = inspect.signature(f)
    except ValueError:  # a method in C: the first line of its text has it, with types
        text = f.__doc__.splitlines()[0]
        text = re.search(r"\(self(?:, )?(.*?)\)(?: ->|$)", text).group(1)
        text = re.sub(r"\b(?:_ndarray_base|int|Py_ssize_t|bint) (?=\w)", "", text)
        return tuple([p.split("=")[0] + "=" * ("=" in p) for p in re.split(r",\s*", text) if p])
    out, star = [], False
    for p in [p for p in given.parameters.values() if p.name != "self"]:
        if p.kind is p.KEYWORD_ONLY and not star:
            out.append("*")
        star |= p.kind in (p.KEYWORD_ONLY, p.VAR_POSITIONAL)
        mark = {p.VAR_POSITIONAL: "*", p.VAR_KEYWORD: "**"}.get(p.kind, "")
        out.append(mark + p.name + "=" * (p.default is not p.empty))
    return tuple(out)


version = pytest.mark.skipif(cupy.__version__ != cupy_api.VERSION, reason=f"the lists are of CuPy {cupy_api.VERSION}")


@version
def test_functions_of_the_double():
    wrong = {name: params for name, params in cupy_api.signatures(cupy_api.FUNCTIONS).items() if parameters(found(name)) != params}
    assert not wrong


@version
def test_methods_of_the_double():
    wrong = {}
    for name, params in cupy_api.signatures(cupy_api.METHODS).items():
        if (real := parameters(getattr(cupy.ndarray, name))) != params:
            wrong[name] = real
    assert not wrong
    public = {n for n in dir(cupy.ndarray) if not n.startswith("_")}
    assert public == set(cupy_api.signatures(cupy_api.METHODS)) | set(cupy_api.ATTRIBUTES.split())
    special = {n for n in dir(cupy.ndarray) if n.startswith("__") and n not in dir(object)}
    assert special == {n for n in cupy_api.SPECIAL.split() if n not in dir(object)}


@version
def test_the_rest_of_the_double():
    for name in cupy_api.names():
        assert found(name) is not None or name == "newaxis", name
    assert {n for n in dir(cupy) if not n.startswith("_")} - cupy_api.names() <= {"annotations"}
    ufuncs = {n for n in dir(cupy) if isinstance(getattr(cupy, n), cupy.ufunc)}
    assert ufuncs == set(cupy_api.UFUNCS.split()) - {"matmul"}
