"""Read the source of ops, layers and optimizers for what a GPU would wait for: values read on the host, branches on them, lists sent.

Where a read is right, since it is on the CPU, or of a plain number, the code shows it by a guard (``on_cpu(a) and ...``, a type check, a
parameter annotated as a number); what is left is listed here with its reason.
"""

import ast
import pathlib
import re

import pytest

import minigrad

ROOT = pathlib.Path(minigrad.__file__).parent
FILES = sorted(path for part in ("ops", "nn", "optim") for path in (ROOT / part).rglob("*.py"))

SETTING = "a setting, checked to be a plain number"
STRUCTURE = "lengths that decide on shapes; lists of numbers stay on the host"
DOOR = "it is asked for a value"
ALLOWED = {
    "nn/counting._recurrent": "counts multiplications on the host, for reports",
    "nn/functional/layout.one_hot": "without num_classes the width is the largest entry",
    "nn/init/lsuv._scaled": "an initialization looks at what comes out",
    "nn/loss/adaptive.__init__": SETTING,
    "nn/module/state._misfit": "loading a state, on the host",
    "nn/recurrent/network.forward": STRUCTURE,
    "nn/recurrent/network._packed": STRUCTURE,
    "nn/utils/clip_grad._total": "with error_if_nonfinite alone, which is to raise",
    "nn/utils/parametrize.is_parametrized": SETTING,
    "nn/utils/rnn.pack_sequence": STRUCTURE,
    "nn/utils/rnn.packed_rows": STRUCTURE,
    "nn/utils/rnn.pad_packed_sequence": STRUCTURE,
    "nn/utils/rnn.pad_sequence": STRUCTURE,
    "nn/utils/rnn.unpad_sequence": STRUCTURE,
    "ops/correlation.weight_slope": "behind widths that only NumPy has",
    "ops/creation.arange": "bounds given as NumPy scalars",
    "ops/creation.geomspace": "bounds given as numbers",
    "ops/ctc._labels": "targets in a row are as wide as the longest",
    "ops/grid.affine_grid": SETTING,
    "ops/joining.array_split": SETTING,
    "ops/linalg/equations._expm": "squares as often as the norm asks for",
    "ops/linalg/norms._order": SETTING,
    "ops/methods._contains": DOOR,
    "ops/methods._format": DOOR,
    "ops/normalization/moments.positive": SETTING,
    "ops/pooling/fractional._fractional": SETTING,
    "ops/pooling/unpool._size": SETTING,
    "ops/random/discrete._probabilities": "probabilities, drawn from on the host",
    "ops/random/discrete.multinomial": "probabilities, drawn from on the host",
    "ops/random/continuous._scaled": SETTING,
    "ops/random/continuous.parameter": "a parameter given as a NumPy scalar",
    "ops/resample._unmix": "a table made from shapes",
    "ops/resizing.pad": STRUCTURE,
    "ops/resizing.repeat": "as long as the sum of the repeats, where they are an array",
    "ops/sort._quantile": "the probabilities, on the host",
    "ops/special/gamma.hurwitz": "k counts the terms of a series",
    "ops/special/incomplete._nodes": "constants of a quadrature",
    "optim/lbfgs._direction": "the line search branches on values",
    "optim/lbfgs._iterate": "the line search branches on values",
    "optim/lbfgs.evaluate": "the line search branches on values",
    "optim/lbfgs.largest": "the line search branches on values",
    "optim/lbfgs.point": "the line search branches on values",
    "optim/lbfgs.unpacked": "a state that is saved",
    "optim/lr_scheduler/cycles.__init__": SETTING,
    "optim/lr_scheduler/plateau.step": "a metric given by the user",
    "optim/lr_scheduler/scheduler._set": SETTING,
    "optim/optimizer._taken": "a state that is loaded",
    "optim/roster.step": "a kernel in C, on the CPU, says whether it did the step",
    "optim/settings.within": SETTING,
    "optim/settings.numbers": SETTING,
}
"""``part/file.function``: why it may read."""

NUMBERS = {"int", "float", "bool", "complex", "int | None", "float | None", "bool | None", "float | bool", "int | float"}
PLAIN = re.compile(r"finfo|iinfo|\blen\(|isinstance\(|\.shape|\.ndim|\.size|\bmath\.")
"""Words of what is known without asking the device."""
READING = {"float", "int", "bool", "complex"}
FETCHING = {"item", "tolist", "get"}
REDUCING = {"any", "all", "max", "min", "sum", "mean", "item"}
ON_CPU = re.compile(r"\bon_cpu\(|\bis np\b|is ndarray|is np\.ndarray|\btype == 'cpu'")
TYPED = re.compile(r"\bisinstance\(|\btype\(|\bis_array\(|\bhasattr\(")


def functions(tree):
    """Every function with its name; those inside others belong to them."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            yield node
        elif isinstance(node, ast.ClassDef):
            yield from functions(node)


def lambdas(tree):
    """What of a module is in no function: rules and kernels as lambdas."""
    return ast.Module([n for n in tree.body if not isinstance(n, (ast.FunctionDef, ast.ClassDef))], [])


def parents(function):
    return {child: node for node in ast.walk(function) for child in ast.iter_child_nodes(node)}


def leaves_early(statement):
    """``if not on_cpu(a): return ...``"""
    ends = isinstance(statement, ast.If) and isinstance(statement.body[-1], (ast.Return, ast.Raise))
    return ends and re.search(r"not on_cpu\(", ast.unparse(statement.test))


def guarded(node, above, words):
    """Whether what encloses the node, or stands before it in an ``and``, says that this is not on a GPU."""
    child, node = node, above.get(node)
    while node is not None:
        before = []
        if isinstance(node, (ast.If, ast.IfExp, ast.While)) and child is not node.test:
            before = [node.test]
        elif isinstance(node, ast.BoolOp):
            before = node.values[: node.values.index(child)]
        elif isinstance(node, ast.FunctionDef):
            before = [s.test for s in node.body if s.lineno < child.lineno and leaves_early(s)]
        if any(words.search(ast.unparse(b)) for b in before):
            return True
        child, node = node, above.get(node)
    return False


def annotated(function):
    """The parameters that are annotated as numbers, of the function and of those inside."""
    inner = [n for n in ast.walk(function) if isinstance(n, ast.FunctionDef)]
    every = [a for f in inner for a in (*f.args.posonlyargs, *f.args.args, *f.args.kwonlyargs)]
    return {a.arg for a in every if a.annotation is not None and ast.unparse(a.annotation) in NUMBERS}


def is_plain(argument, numbers):
    names = {n.id for n in ast.walk(argument) if isinstance(n, ast.Name)}
    return names <= numbers or PLAIN.search(ast.unparse(argument))


def reads(function):
    """float(x), x.item() and the like of what may be a value of the device."""
    above, numbers = parents(function), annotated(function)
    for node in ast.walk(function):
        if not isinstance(node, ast.Call):
            continue
        f = node.func
        if isinstance(f, ast.Name) and f.id in READING and node.args:
            if not is_plain(node.args[0], numbers) and not guarded(node, above, ON_CPU) and not guarded(node, above, TYPED):
                yield f"{node.lineno} calls {ast.unparse(node)}"
        elif isinstance(f, ast.Attribute) and f.attr in FETCHING and not node.args and not guarded(node, above, ON_CPU):
            yield f"{node.lineno} calls {ast.unparse(node)}"


def branches(function):
    """``if (x > 0).any()``: a branch that depends on values."""
    above = parents(function)
    for node in ast.walk(function):
        tests = [node.test] if isinstance(node, (ast.If, ast.IfExp, ast.While, ast.Assert)) else []
        for part in [n for t in tests for n in ast.walk(t)]:
            reduces = isinstance(part, ast.Call) and isinstance(part.func, ast.Attribute) and part.func.attr in REDUCING
            if reduces and not guarded(part, above, ON_CPU):
                yield f"{part.lineno} branches on {ast.unparse(part)}"


def lists(function):
    """``xp.array([...])``: a list that is sent to the device in each call."""
    for node in ast.walk(function):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in ("array", "asarray") and node.args:
            space = ast.unparse(node.func.value)
            if (space == "xp" or space.startswith("namespace(")) and isinstance(node.args[0], (ast.List, ast.ListComp, ast.Tuple)):
                yield f"{node.lineno} sends {ast.unparse(node)}"


def wide_scalars(function):
    """``np.float64(2)``, which widens float32 where it meets it."""
    for node in ast.walk(function):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("np.float64", "np.float32", "np.double", "xp.float64", "xp.float32"):
            yield f"{node.lineno} makes {ast.unparse(node)}"


CHECKS = (reads, branches, lists, wide_scalars)


def found(tree, name):
    """``{place: what is wrong there}`` for a module called so."""
    out = {}
    for function in (*functions(tree), lambdas(tree)):
        wrong = [w for check in CHECKS for w in check(function)]
        if wrong:
            out[f"{name}.{getattr(function, 'name', '<module>')}"] = wrong
    return out


def called(path):
    return path.relative_to(ROOT).with_suffix("").as_posix()


@pytest.mark.parametrize("path", FILES, ids=called)
def test_no_value_is_read(path):
    wrong = {k: v for k, v in found(ast.parse(path.read_text()), called(path)).items() if k not in ALLOWED}
    assert not wrong


def test_exceptions_are_needed():
    needed = {k for path in FILES for k in found(ast.parse(path.read_text()), called(path))}
    assert set(ALLOWED) <= needed, f"no longer needed: {sorted(set(ALLOWED) - needed)}"


@pytest.mark.parametrize(
    "body",
    [
        "return x * float(x.max())",
        "return int(x[0])",
        "return x.max().item()",
        "return x.tolist()",
        "return x.get()",
        "if (x > 0).any():\n        return x",
        "return x if x.sum() > 0 else -x",
        "while x.max() > 1:\n        x = x / 2",
        "assert x.min() >= 0",
        "return xp.array([1.0, 2.0]) * x",
        "return namespace(type(x)).asarray([i for i in range(3)])",
        "return x * np.float64(2)",
        "def inner(y):\n        return float(y)\n    return inner(x)",
        "if isinstance(x, Tensor):\n        return x.item()",
        "if x.size and x.max() > 0 and on_cpu(x):\n        raise ValueError",
    ],
)
def test_the_lint_sees(body):
    assert found(ast.parse(f"def f(xp, x):\n    {body}\n"), "planted")
    assert found(ast.parse(f"class A:\n  def f(xp, x):\n    {body}\n"), "planted")


def test_the_lint_sees_lambdas():
    assert found(ast.parse("op = general(lambda xp, x: x * float(x.max()), name='op')"), "planted")


@pytest.mark.parametrize(
    "source",
    [
        "def f(x, scale: float):\n    return x * float(scale)",
        "def f(x):\n    return x / float(np.finfo(x.dtype).eps) + int(x.shape[0]) + float('inf')",
        "def f(x):\n    if on_cpu(x) and (bad := x < 0).any():\n        raise ValueError(int(bad.nonzero()[0][0]))",
        "def f(x):\n    if on_cpu(x):\n        if x.max() > 1:\n            return float(x.max())",
        "def f(x):\n    if not on_cpu(x):\n        return x\n    if x.max() > 1:\n        return x.max().item()",
        "def f(v):\n    return float(v) if isinstance(v, (int, float)) else v",
        "def f(xp, x):\n    return xp.asarray(x) * xp.sum(x)",
    ],
)
def test_the_lint_passes(source):
    assert not found(ast.parse(source), "planted")
