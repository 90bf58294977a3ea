"""Custom functions and primitives, checkpointing, and derivatives as functions."""

import numpy as np
import pytest

import minigrad as mg
from minigrad.autograd import Function, checkpoint, defvjp, once_differentiable, primitive
from minigrad.errors import DTypeError, GraphError
from minigrad.testing import gradcheck, gradgradcheck


class SinCos(Function):
    @staticmethod
    def forward(ctx, x):
        s, c = mg.sin(x), mg.cos(x)
        ctx.save_for_backward(s, c)
        return s, c

    @staticmethod
    def backward(ctx, gs, gc):
        s, c = ctx.saved_tensors
        return gs * c - gc * s


class Scale(Function):
    @staticmethod
    def forward(ctx, x, factor):
        ctx.factor = factor
        ctx.save_for_backward(x)
        return x * factor

    @staticmethod
    def backward(ctx, g):
        return g * ctx.factor, None


def point(*values):
    return mg.tensor(list(values), requires_grad=True, dtype="float64")


def test_function_with_several_outputs_first_and_second_order():
    x = point(0.3, -1.2)
    assert gradcheck(SinCos.apply, x)
    assert gradgradcheck(SinCos.apply, x)
    s, _ = SinCos.apply(x)
    s.sum().backward()  # the other output is unused: its gradient comes as zeros
    assert np.allclose(x.grad.numpy(), np.cos(x.numpy()))


def test_function_with_constants_and_needs_input_grad():
    x = point(1.0, 2.0)
    y = Scale.apply(x, 3.0)
    y.sum().backward()
    assert x.grad.tolist() == [3.0, 3.0]
    assert not Scale.apply(x.detach(), 3.0).requires_grad


def test_function_errors():
    class Wrong(Function):
        @staticmethod
        def forward(ctx, a, b):
            return a * b

        @staticmethod
        def backward(ctx, g):
            return g

    class Number(Wrong):
        @staticmethod
        def backward(ctx, g):
            return 1.0, None

    class Small(Wrong):
        @staticmethod
        def backward(ctx, g):
            return g.sum(), None

    a, b = point(1.0, 2.0), point(3.0, 4.0)
    with pytest.raises(GraphError, match=r"Wrong.backward: expected 2 gradients, one per input, got 1"):
        Wrong.apply(a, b).sum().backward()
    with pytest.raises(GraphError, match=r"Number.backward: expected Tensors or None"):
        Number.apply(a, b).sum().backward()
    with pytest.raises(GraphError, match=r"Small: a rule returned a gradient of shape \(\)"):
        Small.apply(a, b).sum().backward()
    assert a.grad is None

    class Plain(Function):
        @staticmethod
        def forward(ctx, a):
            return 3.0

    with pytest.raises(DTypeError, match=r"Plain\.forward"):
        Plain.apply(a)
    with pytest.raises(NotImplementedError, match="forward"):
        Function.apply(a)


def test_once_differentiable_refuses_the_second_order():
    class Once(Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x * x

        @staticmethod
        @once_differentiable
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            return g * 2 * x

    x = point(3.0)
    Once.apply(x).sum().backward()
    assert x.grad.tolist() == [6.0]
    with pytest.raises(GraphError, match="once_differentiable"):
        mg.grad(Once.apply(x).sum(), x, create_graph=True)


def test_saved_tensors_of_functions_are_version_checked():
    x = point(1.0)
    y = x * 1
    z = Scale.apply(y, 2.0)
    with mg.no_grad():
        y.add_(1.0)
    with pytest.raises(GraphError, match="Scale saved an array"):
        z.sum().backward()


def test_second_order_through_a_saved_intermediate_raises_instead_of_being_wrong():
    class Root(Function):
        @staticmethod
        def forward(ctx, x):
            r = mg.sqrt(x)
            ctx.save_for_backward(r)
            return r * 2

        @staticmethod
        def backward(ctx, g):
            (r,) = ctx.saved_tensors
            return g / r

    x = point(4.0)
    Root.apply(x).sum().backward()
    assert x.grad.tolist() == [0.5]
    with pytest.raises(GraphError, match="saved an intermediate"):
        mg.grad(Root.apply(x).sum(), x, create_graph=True)


def test_mark_non_differentiable():
    class Split(Function):
        @staticmethod
        def forward(ctx, x):
            sign = mg.sign(x)
            ctx.mark_non_differentiable(sign)
            return abs(x), sign

        @staticmethod
        def backward(ctx, g, _):
            return g

    a, s = Split.apply(point(-1.0, 2.0))
    assert a.requires_grad
    assert not s.requires_grad


def test_primitive_and_defvjp():
    @primitive
    def product(a, b):
        return np.multiply(a, b)

    defvjp(product, lambda y, a, b: lambda g: g * b, lambda y, a, b: lambda g: g * a)
    a, b = point(1.0, 2.0), point(3.0, 4.0)
    assert gradcheck(product, (a, b))
    assert gradgradcheck(product, (a, b))
    assert product(np.ones(2), np.ones(2)).tolist() == [1.0, 1.0]

    @primitive
    def half(a):
        return a / 2

    with pytest.raises(GraphError, match="half: no gradient was defined for argument 0"):
        half(a).sum().backward()
    with pytest.raises(DTypeError, match="primitive"):
        defvjp(np.exp)


# -- checkpoint -------------------------------------------------------------------------------------------------------
def block(x, w):
    return mg.tanh(mg.exp(x * w) * w)


def test_checkpoint_gives_the_same_values_and_gradients():
    x, w = point(0.1, 0.2), point(0.5, -0.4)
    plain = mg.grad(block(x, w).sum(), [x, w])
    y = checkpoint(block, x, w)
    for a, b in zip(plain, mg.grad(y.sum(), [x, w]), strict=True):
        assert a.tolist() == b.tolist()


def test_checkpoint_keeps_nothing_and_runs_again_once():
    x = point(0.1, 0.2)
    runs = []

    def f(t):
        runs.append(1)
        return mg.exp(mg.sin(t)) * t

    y = checkpoint(f, x)
    node, kept = y.node, 0
    while node is not None and node.op is not None:
        kept += sum(getattr(v, "nbytes", 0) for v in node.saved) if type(node.saved) is tuple else 0
        node = node.parents[0]
    assert kept == 0
    y.sum().backward()
    assert len(runs) == 2


def test_checkpoint_reaches_what_the_function_closes_over():
    x, w = point(0.3), point(0.7)
    checkpoint(lambda t: block(t, w), x).sum().backward()
    (want,) = mg.grad(block(x, w).sum(), w)
    assert w.grad.tolist() == want.tolist()


def test_checkpoint_to_second_order():
    x, w = point(0.1, 0.2), point(0.5, -0.4)
    assert gradgradcheck(lambda a, b: checkpoint(block, a, b), (x, w))


def test_checkpoint_repeats_random_draws():
    x = point(*[1.0] * 50)
    mg.manual_seed(3)
    y = checkpoint(lambda t: mg.exp(t) * mg.random.uniform(size=(50,), dtype="float64"), x)
    mg.random.uniform(size=(3,))
    y.sum().backward()
    assert np.allclose(x.grad.numpy(), y.numpy())


def test_checkpoint_notices_another_program():
    runs = []

    def fickle(t):
        runs.append(1)
        return mg.exp(t) if len(runs) == 1 else mg.exp(t) * mg.exp(t)

    y = checkpoint(fickle, point(1.0))
    with pytest.raises(GraphError, match="checkpoint: the recomputation"):
        y.sum().backward()


def test_checkpoint_of_a_function_that_writes_in_place():
    def f(t):
        c = t.clone()
        c.sub_(0.25)
        c[0] = c[1] * 2.0
        return mg.sin(c) * c

    x = point(0.5, 0.7)
    (want,) = mg.grad(f(x).sum(), x)
    (got,) = mg.grad(checkpoint(f, x).sum(), x)
    assert got.tolist() == want.tolist()
    assert gradgradcheck(lambda t: checkpoint(f, t), x)


def test_checkpoint_notices_an_input_that_was_overwritten():
    x = point(0.5) * 1
    y = checkpoint(mg.exp, x)
    with mg.no_grad():
        x.add_(1.0)
    with pytest.raises(GraphError, match="checkpoint: an input"):
        y.sum().backward()


# -- derivatives as functions -----------------------------------------------------------------------------------------
A = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])


def f(x):
    return mg.matmul(A, mg.sin(x))


def test_vjp_and_jvp_are_transposes():
    x, v, u = np.array([0.3, 0.9]), np.array([1.0, -2.0]), np.array([0.5, 1.0, 2.0])
    jac = A * np.cos(x)
    y, pulled = mg.autograd.vjp(f, x, u)
    assert np.allclose(y.numpy(), A @ np.sin(x))
    assert np.allclose(pulled.numpy(), jac.T @ u)
    _, pushed = mg.autograd.jvp(f, x, v)
    assert np.allclose(pushed.numpy(), jac @ v)


def test_jacobian_and_hessian():
    x = np.array([0.3, 0.9])
    assert np.allclose(mg.autograd.jacobian(f, x).numpy(), A * np.cos(x))
    h = mg.autograd.hessian(lambda t: mg.sin(t).sum() * t.sum(), x).numpy()
    c, s = np.cos(x), np.sin(x)
    assert np.allclose(h, c[:, None] + c[None, :] - np.diag(s) * x.sum())
    assert np.allclose(h, h.T)


def test_several_inputs():
    a, b = np.array([1.0, 2.0]), np.array([3.0, 4.0])
    ja, jb = mg.autograd.jacobian(lambda p, q: p * q, (a, b))
    assert np.allclose(ja.numpy(), np.diag(b))
    assert np.allclose(jb.numpy(), np.diag(a))
    ((haa, hab), (hba, _)) = mg.autograd.hessian(lambda p, q: (p * p * q).sum(), (a, b))
    assert np.allclose(haa.numpy(), np.diag(2 * b))
    assert np.allclose(hab.numpy(), np.diag(2 * a))
    assert np.allclose(hba.numpy(), hab.numpy().T)


def test_hessian_products():
    x, v = np.array([0.3, 0.9]), np.array([1.0, -2.0])
    loss = lambda t: (mg.exp(t) * mg.sin(t)).sum() + t[0] * t[1]  # noqa: E731
    h = mg.autograd.hessian(loss, x).numpy()
    assert np.allclose(mg.autograd.hvp(loss, x, v)[1].numpy(), h @ v)
    assert np.allclose(mg.autograd.vhp(loss, x, v)[1].numpy(), v @ h)


def test_gauss_newton_product():
    x, v = np.array([0.3, 0.9]), np.array([1.0, -2.0])
    jac = A * np.cos(x)
    got = mg.autograd.ggn_vp(f, lambda z: (z * z).sum(), x, v).numpy()
    assert np.allclose(got, jac.T @ (2 * (jac @ v)))


def test_constant_functions_have_zero_derivatives():
    x = np.array([1.0, 2.0])
    assert mg.autograd.jacobian(lambda t: mg.tensor([3.0]), x).tolist() == [[0.0, 0.0]]
    assert mg.autograd.jvp(lambda t: mg.tensor([3.0]), x, x)[1].tolist() == [0.0]


def test_transforms_work_inside_no_grad_and_complain_clearly():
    with mg.no_grad():
        assert mg.autograd.jacobian(lambda t: t * 2, np.array([1.0])).tolist() == [[2.0]]
    with pytest.raises(GraphError, match="hessian: the function must return a scalar"):
        mg.autograd.hessian(lambda t: t * t, np.array([1.0, 2.0]))
    with pytest.raises(ValueError, match="jvp: the vector has shape"):
        mg.autograd.jvp(f, np.ones(2), np.ones(3))


def test_create_graph_through_the_transforms():
    w = point(2.0)
    x = np.array([0.3, 0.9])
    jac = mg.autograd.jacobian(lambda t: mg.sin(t) * w, x, create_graph=True)
    jac.sum().backward()
    assert np.allclose(w.grad.numpy(), np.cos(x).sum())
