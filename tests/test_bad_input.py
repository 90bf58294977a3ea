"""Bad input: the right exception, ours and Python's own, with a message that names the function, what came and what was expected."""

import copy
import pickle

import numpy as np
import pytest

import minigrad as mg
import minigrad.nn.functional as F
from minigrad.backend import register_namespace
from minigrad.errors import DeviceError, DTypeError, GraphError, IndexRangeError, MinigradError, ShapeError


def x(*shape, dtype="float32", requires_grad=True):
    t = mg.tensor(np.ones(shape, dtype))
    return t.requires_grad_() if requires_grad and t.dtype.kind in "fc" else t


class Elsewhere:
    """An array on a device of its own, for errors about devices."""

    dtype, shape, ndim, size, base, device = np.dtype("float32"), (3,), 1, 3, None, "cuda:0"


class _Namespace:
    ufunc = np.ufunc

    def __getattr__(self, name):
        def kernel(*args, **kwargs):
            raise TypeError(f"Unsupported type {type(args[1])}")

        return kernel


register_namespace(Elsewhere, _Namespace())


def elsewhere():
    t = x(3)
    t.data = Elsewhere()
    return t


def freed():
    y = (x(3) * x(3)).sum()
    y.backward()
    y.backward()


def stale():
    a = x(3) * 2
    y = (a * a).sum()
    a += 1
    y.backward()


def stale_constant():
    c = x(3, requires_grad=False)
    y = (x(3) * c).sum()
    c.zero_()
    y.backward()


def hook(returns):
    a = x(3)
    b = a * 2
    b.register_hook(lambda g: returns)
    b.sum().backward()


def custom(backward, forward=lambda ctx, a: a * 2):
    class Double(mg.autograd.Function):
        pass

    Double.forward, Double.backward = staticmethod(forward), staticmethod(backward)
    Double.apply(x(3)).sum().backward()


def once():
    class Twice(mg.autograd.Function):
        @staticmethod
        def forward(ctx, a):
            return a * 2

        @staticmethod
        @mg.autograd.once_differentiable
        def backward(ctx, g):
            return g * 2

    a = x(3)
    mg.grad(Twice.apply(a).sum(), a, create_graph=True)


IMAGE, KERNEL = (1, 4, 8, 8), (6, 4, 3, 3)

GRAPH = {
    "integers have no gradient": (
        lambda: mg.tensor([1, 2], requires_grad=True),
        DTypeError,
        ["requires_grad", "int64", "floating", "astype"],
    ),
    "booleans have no gradient": (lambda: mg.tensor([True]).requires_grad_(), DTypeError, ["requires_grad", "bool", "floating"]),
    "backward of many values": (lambda: (x(2) * 2).backward(), GraphError, ["backward", "scalar", "gradient", "(2,)"]),
    "grad of many values": (lambda: mg.grad(x(2) * 2, x(2)), GraphError, ["grad", "scalar", "(2,)"]),
    "backward twice": (freed, GraphError, ["freed", "retain_graph=True"]),
    "backward of a constant": (lambda: x(requires_grad=False).backward(), GraphError, ["backward", "does not require grad", "no_grad"]),
    "backward of a number": (lambda: mg.autograd.backward(3.0), DTypeError, ["backward", "Tensor", "float"]),
    "gradient of another shape": (lambda: (x(2) * 2).backward(mg.ones(3)), ShapeError, ["backward", "(3,)", "(2,)"]),
    "gradient that would broadcast": (lambda: (x(2) * 2).backward(mg.tensor(1.0)), ShapeError, ["backward", "()", "(2,)"]),
    "complex gradient of a real output": (
        lambda: (x(2) * 2).backward(mg.tensor([1j, 1j])),
        DTypeError,
        ["backward", "complex64", "float32"],
    ),
    "too few gradients": (
        lambda: mg.autograd.backward([x(2) * 2, x(2) * 2], [mg.ones(2)]),
        GraphError,
        ["backward", "2 tensors", "1 grad"],
    ),
    "unused input": (lambda: mg.grad(x(2).sum(), x(3)), GraphError, ["grad", "input 0", "(3,)", "allow_unused=True"]),
    "input that is a constant": (
        lambda: mg.grad(x(2).sum(), x(2, requires_grad=False)),
        GraphError,
        ["grad", "does not require", "requires_grad_"],
    ),
    "input that is a number": (lambda: mg.grad(x(2).sum(), 3.0), DTypeError, ["grad", "float", "Tensor"]),
    "saved array overwritten": (stale, GraphError, ["multiply", "overwritten", "version 1", "clone"]),
    "saved constant overwritten": (stale_constant, GraphError, ["multiply", "overwritten", "clone"]),
    "leaf written in place": (lambda: x(3).zero_(), GraphError, ["zero_", "leaf", "no_grad"]),
    "leaf added to in place": (lambda: x(3).__iadd__(1), GraphError, ["leaf", "no_grad"]),
    "leaf written through an index": (lambda: x(3).__setitem__(0, 1.0), GraphError, ["leaf", "no_grad"]),
    "hook returns another shape": (lambda: hook(mg.ones(2)), ShapeError, ["hook", "multiply", "(3,)", "[2]"]),
    "hook returns a number": (lambda: hook(1.0), ShapeError, ["hook", "(3,)", "1.0"]),
    "custom gradient count": (lambda: custom(lambda ctx, g: (g, g)), GraphError, ["Double", "expected 1", "got 2"]),
    "custom gradient shape": (lambda: custom(lambda ctx, g: mg.ones((2, 2))), GraphError, ["Double", "(2, 2)", "(3,)"]),
    "custom gradient too small": (lambda: custom(lambda ctx, g: g.sum()), GraphError, ["Double", "()", "(3,)"]),
    "custom gradient is a number": (lambda: custom(lambda ctx, g: 1.0), GraphError, ["Double", "1.0", "Tensors"]),
    "custom output is an array": (lambda: custom(None, lambda ctx, a: a.data), DTypeError, ["Double", "Tensor", "ndarray"]),
    "custom saves a number": (
        lambda: custom(None, lambda ctx, a: ctx.save_for_backward(3)),
        DTypeError,
        ["save_for_backward", "Tensors", "int"],
    ),
    "declared once differentiable": (once, GraphError, ["once_differentiable", "create_graph"]),
    "deepcopy of a computed tensor": (lambda: copy.deepcopy(x(2) * 2), GraphError, ["deepcopy", "clone", "detach"]),
    "pickle of a computed tensor": (lambda: pickle.dumps(x(2) * 2), GraphError, ["pickle", "detach"]),
    "constant made of a computed tensor": (lambda: (x(2) * 2).requires_grad_(False), GraphError, ["requires_grad_", "detach"]),
    "hook on a constant": (lambda: x(2, requires_grad=False).register_hook(print), GraphError, ["register_hook", "does not require grad"]),
    "array of a tensor with a graph": (lambda: np.asarray(x(2)), GraphError, ["asarray", "requires grad", "detach().numpy()"]),
    "numpy function without a form of ours": (lambda: np.unwrap(x(2)), DTypeError, ["unwrap", "detach().numpy()"]),
    "dlpack of a tensor with a graph": (lambda: np.from_dlpack(x(2)), GraphError, ["dlpack", "requires grad", "detach"]),
    "grad mode that is no truth": (lambda: mg.set_grad_enabled(1), TypeError, ["set_grad_enabled", "True or False", "1"]),
    "jacobian of no tensor": (lambda: mg.autograd.jacobian(lambda a: 1.0, x(2)), GraphError, ["jacobian", "Tensor", "float"]),
    "hessian of many values": (lambda: mg.autograd.hessian(lambda a: a * a, x(2)), GraphError, ["hessian", "scalar", "(2,)"]),
    "vector of another shape": (lambda: mg.autograd.jvp(lambda a: a * a, x(2), mg.ones(3)), ShapeError, ["jvp", "(3,)", "(2,)"]),
}

SHAPES = {
    "add": (lambda: x(3) + x(4), ShapeError, ["add", "[3]", "[4]"]),
    "multiply by an array": (lambda: x(2, 3) * np.ones(2), ShapeError, ["multiply", "[2, 3]", "[2]"]),
    "array times a tensor": (lambda: np.ones(2) * x(2, 3), ShapeError, ["multiply", "[2, 3]", "[2]"]),
    "where": (lambda: mg.where(np.ones(2, bool), x(3), 0.0), ShapeError, ["where", "[2]", "[3]"]),
    "matmul": (lambda: x(2, 3) @ x(2, 3), ShapeError, ["matmul", "(2, 3)"]),
    "matmul of a scalar": (lambda: x(2, 3) @ x(), ShapeError, ["matmul", "()", "*"]),
    "matmul of batches": (lambda: x(2, 3, 4) @ x(5, 4, 3), ShapeError, ["matmul", "(2, 3, 4)", "(5, 4, 3)"]),
    "einsum lengths": (lambda: mg.einsum("ij,jk->ik", x(2, 3), x(2, 3)), ShapeError, ["einsum", "j"]),
    "einsum operands": (lambda: mg.einsum("ij,jk->ik", x(2, 3)), ShapeError, ["einsum", "2", "1"]),
    "einsum dimensions": (lambda: mg.einsum("ij->i", x(2)), ShapeError, ["einsum", "ij"]),
    "tensordot": (lambda: mg.tensordot(x(2, 3), x(2, 3), 1), ShapeError, ["tensordot", "3", "2"]),
    "axis": (lambda: x(2, 3).sum(axis=2), ShapeError, ["sum", "axis 2", "2 dimensions", "-2 to 1"]),
    "axis of a scalar": (lambda: x().sum(axis=0), ShapeError, ["sum", "axis 0", "0 dimensions", "no axis to choose"]),
    "axis twice": (lambda: x(2, 3).mean(axis=(0, -2)), ShapeError, ["mean", "twice", "(0, -2)"]),
    "axis of softmax": (lambda: mg.softmax(x(2, 3), axis=5), ShapeError, ["softmax", "axis 5", "2 dimensions"]),
    "axis of concat": (lambda: mg.concat([x(2), x(2)], axis=1), ShapeError, ["concat", "axis 1"]),
    "max of nothing": (lambda: x(0).max(), ShapeError, ["max"]),
    "argmax of nothing": (lambda: x(0).argmax(), ShapeError, ["argmax"]),
    "reshape": (lambda: x(2, 3).reshape(4), ShapeError, ["reshape", "[2, 3]", "(4,)"]),
    "reshape with two unknowns": (lambda: x(2, 3).reshape(-1, -1), ShapeError, ["reshape", "-1"]),
    "reshape below -1": (lambda: x(2, 3).reshape(-2, 3), ShapeError, ["reshape", "-2"]),
    "broadcast_to": (lambda: x(3).broadcast_to((2, 4)), ShapeError, ["broadcast_to", "3", "(2, 4)"]),
    "squeeze": (lambda: x(2, 3).squeeze(axis=0), ShapeError, ["squeeze", "2"]),
    "expand_dims": (lambda: mg.expand_dims(x(2), 5), ShapeError, ["expand_dims", "5"]),
    "permute_dims": (lambda: mg.permute_dims(x(2, 3), (0, 0)), ShapeError, ["permute_dims", "(0, 0)"]),
    "permute_dims length": (lambda: mg.permute_dims(x(2, 3), (0,)), ShapeError, ["permute_dims", "2"]),
    "transpose as in PyTorch": (lambda: x(2, 3, 4).transpose(0, 1), ShapeError, ["transpose", "3 dimensions", "swapaxes(0, 1)"]),
    "T of three dimensions": (lambda: x(2, 3, 4).T, ShapeError, ["T", "(2, 3, 4)", ".mT"]),
    "stack": (lambda: mg.stack([x(2), x(3)]), ShapeError, ["stack", "2", "3"]),
    "stack of nothing": (lambda: mg.stack([]), ShapeError, ["stack"]),
    "concat": (lambda: mg.concat([x(2, 3), x(2, 4)]), ShapeError, ["concat", "(2, 3)", "(2, 4)"]),
    "split": (lambda: mg.split(x(5), 2), ShapeError, ["split", "5", "2"]),
    "index beyond": (lambda: x(3)[5], IndexRangeError, ["index 5", "3"]),
    "index below": (lambda: x(3)[-4], IndexRangeError, ["index -4", "3"]),
    "too many indices": (lambda: x(3)[0, 0], IndexRangeError, ["2", "1"]),
    "array index beyond": (lambda: x(3)[[0, 3]], IndexRangeError, ["3"]),
    "mask of another shape": (lambda: x(3)[np.ones(2, bool)], IndexRangeError, ["2", "3"]),
    "take beyond": (lambda: mg.take(x(3), [3]), IndexRangeError, ["take", "3"]),
    "solve": (lambda: mg.linalg.solve(x(2, 3), x(2)), ShapeError, ["solve", "(2, 3)", "square"]),
    "det of a rectangle": (lambda: mg.linalg.det(x(2, 3)), ShapeError, ["det", "(2, 3)", "square"]),
    "trace of a vector": (lambda: mg.trace(x(3)), ShapeError, ["trace", "(3,)", "2"]),
    "linear": (lambda: F.linear(x(8, 3), x(2, 4)), ShapeError, ["linear", "3 features", "4", "(8, 3)", "(2, 4)"]),
    "conv2d channels": (lambda: F.conv2d(x(1, 3, 8, 8), x(*KERNEL)), ShapeError, ["conv2d", "3", "4"]),
    "conv2d dimensions": (lambda: F.conv2d(x(8, 8), x(*KERNEL)), ShapeError, ["conv2d", "(8, 8)"]),
    "conv2d kernel too large": (lambda: F.conv2d(x(1, 4, 2, 2), x(*KERNEL)), ShapeError, ["conv2d", "output", "2"]),
    "conv2d stride": (lambda: F.conv2d(x(*IMAGE), x(*KERNEL), stride=0), ShapeError, ["conv2d", "stride", "0"]),
    "conv2d padding": (lambda: F.conv2d(x(*IMAGE), x(*KERNEL), padding=-1), ShapeError, ["conv2d", "padding", "-1"]),
    "conv2d groups": (lambda: F.conv2d(x(*IMAGE), x(*KERNEL), groups=3), ShapeError, ["conv2d", "groups", "3"]),
    "conv2d bias": (lambda: F.conv2d(x(*IMAGE), x(*KERNEL), x(5)), ShapeError, ["conv2d", "bias", "5", "6"]),
    "pool": (lambda: F.max_pool2d(x(1, 1, 2, 2), 3), ShapeError, ["max_pool2d", "output", "2"]),
    "global pool of nothing": (lambda: mg.nn.GlobalAvgPool2d()(x(1, 2, 0, 3)), ShapeError, ["GlobalAvgPool2d", "(1, 2, 0, 3)", "nothing"]),
    "cosine_similarity": (lambda: F.cosine_similarity(x(2, 3), x(2, 4)), ShapeError, ["cosine_similarity", "(2, 3)", "(2, 4)"]),
    "layer_norm": (lambda: F.layer_norm(x(2, 3), (4,)), ShapeError, ["layer_norm", "(2, 3)", "(4,)"]),
    "layer_norm of no axes": (lambda: F.layer_norm(x(2, 3), ()), ShapeError, ["layer_norm", "normalized_shape", "()"]),
    "mse_loss": (lambda: F.mse_loss(x(3, 1), x(3)), ShapeError, ["mse_loss", "(3, 1)", "(3,)"]),
    "cross_entropy batch": (lambda: F.cross_entropy(x(4, 3), np.zeros(5, int)), ShapeError, ["cross_entropy", "4", "5"]),
    "cross_entropy label": (lambda: F.cross_entropy(x(2, 3), np.array([0, 5])), IndexRangeError, ["label 5", "3 classes"]),
    "cross_entropy negative label": (lambda: F.cross_entropy(x(2, 3), np.array([0, -1])), IndexRangeError, ["label -1", "3 classes"]),
    "cross_entropy weights": (lambda: F.cross_entropy(x(2, 3), np.array([0, 1]), weight=mg.ones(2)), ShapeError, ["weight", "2", "3"]),
    "embedding index": (lambda: F.embedding(np.array([0, 9]), x(4, 2)), IndexRangeError, ["embedding", "9", "4"]),
    "embedding negative index": (lambda: F.embedding(np.array([-1]), x(4, 2)), IndexRangeError, ["embedding", "-1", "4"]),
}

VALUES = {
    "dim=": (lambda: x(2, 3).sum(dim=0), TypeError, ["sum", "dim", "axis="]),
    "keepdim=": (lambda: x(2, 3).mean(axis=0, keepdim=True), TypeError, ["mean", "keepdim", "keepdims="]),
    "dim= of softmax": (lambda: mg.softmax(x(2, 3), dim=1), TypeError, ["softmax", "dim", "axis="]),
    "unknown keyword": (lambda: x(2).sum(bogus=1), TypeError, ["sum", "bogus"]),
    "truth as axis": (lambda: x(2, 3).sum(axis=True), DTypeError, ["sum", "axis", "True", "integer"]),
    "float as axis": (lambda: x(2, 3).sum(axis=1.0), DTypeError, ["sum", "axis", "1.0", "integer"]),
    "text": (lambda: mg.tensor("abc"), DTypeError, ["<U3", "number"]),
    "text in a list": (lambda: mg.tensor(["a", 1]), DTypeError, ["<U", "number"]),
    "objects": (lambda: mg.tensor(np.array([object()])), DTypeError, ["object", "number"]),
    "dates": (lambda: mg.tensor(np.array(["2020-01-01"], "M8[D]")), DTypeError, ["datetime64", "number"]),
    "records": (lambda: mg.tensor(np.zeros(2, [("a", "f4")])), DTypeError, ["number"]),
    "nothing": (lambda: mg.tensor(None), DTypeError, ["object", "number"]),
    "ragged list": (lambda: mg.tensor([[1.0, 2.0], [3.0]]), DTypeError, ["ragged", "regular"]),
    "masked array": (lambda: mg.tensor(np.ma.array([1.0, 2.0], mask=[0, 1])), DTypeError, ["masked", "filled"]),
    "text in an operation": (lambda: x(2) + "a", DTypeError, ["<U1", "number"]),
    "object array in an operation": (lambda: x(2) * np.array([object(), 1]), DTypeError, ["object", "number"]),
    "a dict in an operation": (lambda: x(2) + {}, DTypeError, ["object", "number"]),
    "truth of many": (lambda: bool(x(2)), ValueError, ["bool", "(2,)", "any()", "all()"]),
    "comparison as a truth": (lambda: 1 if x(2) == x(2) else 0, ValueError, ["bool", "(2,)"]),
    "item of many": (lambda: x(2).item(), ValueError, ["item", "(2,)", "tolist"]),
    "length of no dimension": (lambda: len(x()), TypeError, ["len", "0-d"]),
    "iteration over no dimension": (lambda: list(x()), TypeError, ["0-d", "item()"]),
    "float tensor as an index": (lambda: [1][x()], TypeError, ["index", "float32", "integer"]),
    "float index": (lambda: x(3)[1.0], (DTypeError, IndexError), ["1.0"]),
    "bitwise on floats": (lambda: x(2) & x(2), DTypeError, ["bitwise_and", "float32"]),
    "invert floats": (lambda: ~x(2), DTypeError, ["bitwise_invert", "float32"]),
    "order of complex numbers": (lambda: mg.floor(mg.tensor([1j])), DTypeError, ["floor", "complex64"]),
    "float labels": (lambda: F.cross_entropy(x(2, 3), mg.tensor([0.0, 1.0])), DTypeError, ["cross_entropy", "float32", "integer"]),
    "float ids": (lambda: F.embedding(mg.tensor([0.5]), x(4, 2)), DTypeError, ["embedding", "float32", "integer"]),
    "float kernel size": (lambda: F.max_pool2d(x(1, 1, 4, 4), 2.5), DTypeError, ["max_pool2d", "2.5", "integer"]),
    "dropout above 1": (lambda: F.dropout(x(3), 1.5), ValueError, ["dropout", "1.5", "1"]),
    "dropout below 0": (lambda: F.dropout(x(3), -0.1), ValueError, ["dropout", "-0.1", "0"]),
    "dropout of a text": (lambda: F.dropout(x(3), "0.5"), DTypeError, ["dropout", "p must be a number", "'0.5'"]),
    "slope that is a text": (lambda: F.leaky_relu(x(3), "0.1"), DTypeError, ["leaky_relu", "negative_slope", "number", "'0.1'"]),
    "delta that is a truth": (lambda: F.huber_loss(x(3), x(3), delta=True), DTypeError, ["huber_loss", "delta", "number", "True"]),
    "alpha of nan": (lambda: F.celu(x(3), float("nan")), ValueError, ["celu", "alpha", "nan"]),
    "float normalized shape": (lambda: F.layer_norm(x(2, 3), (3.0,)), DTypeError, ["layer_norm", "normalized_shape", "3.0"]),
    "a fraction as padding of integers": (
        lambda: F.pad(mg.tensor([1, 2]), (1, 1), value=0.5),
        DTypeError,
        ["pad", "float64", "int64"],
    ),
    "dropout of nan": (lambda: F.dropout(x(3), float("nan")), ValueError, ["dropout", "nan"]),
    "probability above 1": (
        lambda: F.binary_cross_entropy(mg.tensor([1.5]), mg.tensor([1.0])),
        ValueError,
        ["binary_cross_entropy", "1.5"],
    ),
    "reduction": (lambda: F.mse_loss(x(2), x(2), reduction="average"), ValueError, ["mse_loss", "average", "mean"]),
    "singular matrix": (lambda: mg.linalg.inv(mg.zeros((2, 2))), np.linalg.LinAlgError, ["inv"]),
    "not positive definite": (lambda: mg.linalg.cholesky(-mg.eye(2)), np.linalg.LinAlgError, ["cholesky"]),
    "seed": (lambda: mg.manual_seed(-1), DTypeError, ["manual_seed", "-1", ">= 0"]),
    "seed that is a truth": (lambda: mg.manual_seed(True), DTypeError, ["manual_seed", "True"]),
    "default dtype": (lambda: mg.set_default_dtype("int32"), DTypeError, ["set_default_dtype", "int32", "floating"]),
    "imaginary part dropped in place": (
        lambda: x(2, requires_grad=False).__iadd__(mg.tensor([1j, 1j])),
        DTypeError,
        ["complex64", "float32"],
    ),
    "array of another library": (lambda: mg.from_dlpack([1.0]), DTypeError, ["from_dlpack", "list", "asarray"]),
}

DEVICES = {
    "two devices": (lambda: x(3) + elsewhere(), DeviceError, ["add", "cpu", "cuda:0", ".to("]),
    "two devices, turned round": (lambda: elsewhere() * x(3), DeviceError, ["multiply", "cpu", "cuda:0", ".to("]),
    "array of a tensor elsewhere": (lambda: np.asarray(elsewhere().detach()), DeviceError, ["cuda:0", "cpu()"]),
    "device name": (lambda: x(3).to(device="gpu"), DeviceError, ["gpu", "cpu", "cuda"]),
    "device index": (lambda: mg.device("cuda:x"), DeviceError, ["cuda:x", "cuda:<index>"]),
    "device of a new tensor": (lambda: mg.tensor([1.0], device="tpu"), DeviceError, ["tpu", "cuda"]),
}

CASES = {
    f"{group}: {name}": case
    for group, cases in (("graph", GRAPH), ("shape", SHAPES), ("value", VALUES), ("device", DEVICES))
    for name, case in cases.items()
}
BUILTIN = {
    ShapeError: ValueError,
    DTypeError: TypeError,
    DeviceError: RuntimeError,
    GraphError: RuntimeError,
    IndexRangeError: IndexError,
}


@pytest.mark.parametrize("name", CASES)
def test_bad_input(name):
    call, kind, words = CASES[name]
    with pytest.raises(kind) as info:
        call()
    builtin = BUILTIN.get(kind)
    if builtin is not None:
        assert isinstance(info.value, builtin)
        assert isinstance(info.value, MinigradError)
    message = str(info.value)
    missing = [w for w in words if w not in message]
    assert not missing, f"the message lacks {missing}: {message}"
    assert "\n" not in message
    assert "0x" not in message


def test_a_failed_backward_touches_no_gradient():
    a, b = x(3), x(3)

    def broken(g):
        raise RuntimeError("mine")

    (a * 2).register_hook(broken)
    c = a * 2
    c.register_hook(broken)
    with pytest.raises(RuntimeError, match="mine"):
        (c * b).sum().backward()
    assert a.grad is None
    assert b.grad is None
    assert mg.autograd.is_grad_enabled()


def test_what_is_bad_for_arrays_is_bad_for_tensors_too():
    """Arrays in: the same errors."""
    for call, words in (
        (lambda: mg.add(np.ones(3), np.ones(4)), ["add", "[3]", "[4]"]),
        (lambda: mg.sum(np.ones(3), axis=1), ["sum", "axis 1"]),
        (lambda: mg.matmul(np.ones((2, 3)), np.ones((2, 3))), ["matmul", "(2, 3)"]),
    ):
        with pytest.raises(ShapeError) as info:
            call()
        assert all(w in str(info.value) for w in words)
