"""The chain rule: backward, grad, higher orders, accumulation, freeing, hooks, errors leave nothing half done."""

import gc
import threading
import weakref

import numpy as np
import pytest

import minigrad as mg
from minigrad.errors import DTypeError, GraphError, ShapeError


def leaf(*values, **kw):
    return mg.tensor(list(values), requires_grad=True, dtype="float64", **kw)


def test_backward_accumulates_into_leaves():
    x = leaf(1.0, 2.0)
    for k in (1, 2, 3):
        (x * x).sum().backward()
        assert x.grad.tolist() == [2.0 * k, 4.0 * k]
    x.grad = None
    (x * 3.0).sum().backward()
    assert x.grad.tolist() == [3.0, 3.0]


def test_gradients_of_two_leaves_do_not_share_memory():
    x, y = leaf(1.0), leaf(2.0)
    (x + y).sum().backward()
    x.grad.data[...] = 7
    assert y.grad.tolist() == [1.0]


def test_the_given_gradient_is_not_taken_over():
    x = leaf(1.0, 2.0)
    seed = np.array([1.0, 1.0])
    x2 = x.clone()
    x2.backward(seed)
    x.grad.data += 5
    assert seed.tolist() == [1.0, 1.0]


@pytest.mark.parametrize("retained", [False, True])
def test_large_gradients_are_added_in_place_only_where_nobody_else_sees_them(retained):
    """A residual sum hands one array to both sides, which is added to later; who holds an array keeps it as it was."""
    n = 1 << 16
    x, w = [mg.tensor(np.full(n, v, "float32"), requires_grad=True) for v in (3, 2)]
    h, seed, seen = x * 1.0, mg.tensor(np.ones(n, "float32")), []
    y = h + w * h + h * h + h
    if retained:
        h.retain_grad()
        y.retain_grad()
    h.register_hook(lambda g: seen.append(g))
    for times in (1, 2):
        y.backward(seed, retain_graph=True)
        assert (seed.data == 1).all()
        assert (x.grad.data == 10 * times).all()
        assert (w.grad.data == 3 * times).all()
    assert all((g.data == 10).all() for g in seen)
    assert not retained or ((h.grad.data == 10).all() and (y.grad.data == 1).all())
    (d,) = mg.grad((h * h * h + h).sum(), h, create_graph=True)
    assert (mg.grad(d.sum(), x)[0].data == 18).all()


def test_same_tensor_twice_and_reuse():
    x = leaf(3.0)
    (x * x + x + x).sum().backward()
    assert x.grad.tolist() == [8.0]


def test_broadcast_gradients_are_summed_and_cast():
    a = mg.tensor(np.ones((3, 1), np.float32), requires_grad=True)
    b = mg.tensor(np.ones((2, 1, 4), np.float64), requires_grad=True)
    (a * b).sum().backward()
    assert a.grad.shape == (3, 1)
    assert a.grad.dtype == np.float32
    assert a.grad.tolist() == [[8.0]] * 3
    assert b.grad.tolist() == [[[3.0] * 4]] * 2


def test_non_scalar_needs_a_gradient():
    x = leaf(1.0, 2.0)
    with pytest.raises(GraphError, match=r"scalar or an explicit gradient; output shape \(2,\)"):
        (x * 2).backward()
    (x * 2).backward(mg.tensor([1.0, 10.0], dtype="float64"))
    assert x.grad.tolist() == [2.0, 20.0]


def test_second_backward_raises_and_retain_graph_allows_it():
    x = leaf(1.0)
    y = (x * x).sum()
    y.backward(retain_graph=True)
    y.backward()
    assert x.grad.tolist() == [4.0]
    with pytest.raises(GraphError, match="already freed"):
        y.backward()
    z = (x + x).sum()  # nothing is saved here, and yet the rule is the same
    z.backward()
    with pytest.raises(GraphError, match="already freed"):
        z.backward()


def test_grad_of_grad_to_the_fourth_order():
    x = mg.tensor(2.0, requires_grad=True, dtype="float64")
    y = x**5
    for want in (80.0, 160.0, 240.0, 240.0):
        (y,) = mg.grad(y, x, create_graph=True)
        assert y.item() == pytest.approx(want)


def test_grad_with_respect_to_the_cotangent():
    x, v = leaf(1.0, 2.0), leaf(3.0, 4.0)
    (g,) = mg.grad(x * x, x, v, create_graph=True)
    (dv,) = mg.grad(g.sum(), v)
    assert dv.tolist() == [2.0, 4.0]


def test_grad_wrt_computed_tensors_and_outputs_themselves():
    x = leaf(1.0, 2.0)
    h = x * 2
    y = (h * h).sum()
    gh, gx, gy = mg.grad(y, [h, x, y])
    assert gh.tolist() == [4.0, 8.0]
    assert gx.tolist() == [8.0, 16.0]
    assert gy.item() == 1.0
    assert x.grad is None


def test_grad_walks_only_where_it_must():
    x, w = leaf(1.0), leaf(2.0)
    called = []

    class Loud(mg.autograd.Function):
        @staticmethod
        def forward(ctx, t):
            return t * 1

        @staticmethod
        def backward(ctx, g):
            called.append(1)
            return g

    y = (x * 2 + Loud.apply(w)).sum()
    mg.grad(y, x, retain_graph=True)
    assert not called
    mg.grad(y, w)
    assert called


def test_unused_inputs():
    x, w = leaf(1.0), leaf(1.0)
    y = (x * 2).sum()
    with pytest.raises(GraphError, match="input 1 of shape"):
        mg.grad(y, [x, w], retain_graph=True)
    assert mg.grad(y, [x, w], allow_unused=True)[1] is None


def test_backward_into_chosen_inputs_only():
    x, w = leaf(1.0), leaf(2.0)
    h = x * w
    (h * h).sum().backward(inputs=[w])
    assert x.grad is None
    assert w.grad.tolist() == [4.0]


def test_several_outputs_at_once():
    x = leaf(1.0, 2.0)
    mg.autograd.backward([x.sum(), (x * x).sum()])
    assert x.grad.tolist() == [3.0, 5.0]
    with pytest.raises(GraphError, match="2 tensors but 1 gradients"):
        mg.autograd.backward([x.sum(), x.sum()], [1.0])


def test_cotangents_are_checked():
    x = leaf(1.0, 2.0)
    with pytest.raises(ShapeError, match=r"\(3,\).*\(2,\)"):
        (x * 2).backward(np.ones(3))
    with pytest.raises(DTypeError, match="complex128"):
        (x * 2).backward(np.ones(2) * 1j)


def test_retain_grad_and_hooks():
    x = leaf(1.0, 2.0)
    h = x * 2
    h.retain_grad()
    seen = []
    h.register_hook(lambda g: seen.append(g.tolist()))
    handle = h.register_hook(lambda g: g * 10)
    (h * h).sum().backward(retain_graph=True)
    assert seen == [[4.0, 8.0]]
    assert h.grad.tolist() == [40.0, 80.0]
    assert x.grad.tolist() == [80.0, 160.0]
    assert h.retains_grad
    handle.remove()
    x.grad = None
    (h * h).sum().backward()
    assert x.grad.tolist() == [8.0, 16.0]


def test_a_hook_may_remove_itself_and_a_bad_one_changes_nothing():
    x = leaf(1.0)
    handles = []
    handles.append(x.register_hook(lambda g: handles[0].remove()))
    (x * 2).sum().backward()
    (x * 2).sum().backward()
    assert x.grad.tolist() == [4.0]
    y = leaf(1.0)
    bad = y.register_hook(lambda g: mg.ones((3,)))
    with pytest.raises(ShapeError, match="expected a gradient of shape"):
        (x * y).sum().backward()
    assert x.grad.tolist() == [4.0]
    assert y.grad is None
    bad.remove()


def test_post_accumulate_hooks_see_the_finished_gradient():
    x = leaf(1.0)
    seen = []
    x.register_post_accumulate_grad_hook(lambda t: seen.append(t.grad.item()))
    (x * x + x).sum().backward()
    assert seen == [3.0]
    with pytest.raises(GraphError, match="only leaves"):
        (x * 1).register_post_accumulate_grad_hook(print)


def test_errors_in_backward_leave_the_gradients_alone():
    class Broken(mg.autograd.Function):
        @staticmethod
        def forward(ctx, t):
            return t * 1

        @staticmethod
        def backward(ctx, g):
            raise RuntimeError("mine")

    x, w = leaf(1.0), leaf(1.0)
    y = (w * 2 + Broken.apply(x)).sum()
    with pytest.raises(RuntimeError, match="mine"):
        y.backward(retain_graph=True)
    assert x.grad is None
    assert w.grad is None
    assert mg.is_grad_enabled()


def test_create_graph_gives_a_differentiable_grad():
    x = leaf(3.0)
    (x**3).sum().backward(create_graph=True)
    g = x.grad
    x.grad = None
    g.sum().backward()
    assert x.grad.tolist() == [18.0]


def test_integer_tensors_refuse_and_detached_ones_stop():
    with pytest.raises(DTypeError, match="int64"):
        mg.tensor([1, 2], requires_grad=True)
    x = leaf(2.0)
    (x.detach() * x).sum().backward()
    assert x.grad.tolist() == [2.0]
    with pytest.raises(GraphError, match="does not require grad"):
        mg.tensor(1.0).backward()


def test_diamonds_cost_linear_time():
    x = mg.tensor(1.0, requires_grad=True, dtype="float64")
    y = x
    for _ in range(60):
        y = y + y
    y.backward()
    assert x.grad.item() == 2.0**60


def test_a_million_ops_deep():
    x = mg.tensor(np.ones(1), requires_grad=True)
    y = x
    for _ in range(1_000_000):
        y = y + 1.0
    y.sum().backward()
    assert x.grad.tolist() == [1.0]
    node = weakref.ref(y.node)
    gc.collect()
    gc.disable()
    try:
        del y
        assert node() is None
        assert gc.collect() == 0
    finally:
        gc.enable()


def test_dropping_a_graph_without_backward_frees_it_at_once():
    x = mg.tensor(np.ones(1), requires_grad=True)
    gc.collect()
    gc.disable()
    try:
        y = x
        for _ in range(100_000):
            y = y * x
        held = weakref.ref(y.node)
        del y
        assert held() is None
        assert gc.collect() == 0
    finally:
        gc.enable()


def test_20_000_steps_do_not_grow_memory():
    import tracemalloc

    w = mg.tensor(np.ones((4, 4)), requires_grad=True)
    x = mg.tensor(np.ones((8, 4)))

    def step():
        w.grad = None
        ((x @ w).tanh() ** 2).mean().backward()
        with mg.no_grad():
            w.sub_(w.grad * 0.01)

    gc.collect()
    gc.disable()
    tracemalloc.start()
    try:
        for _ in range(2_000):
            step()
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(18_000):
            step()
        grown = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
        gc.enable()
    assert grown < 4_000, "18,000 steps left more behind than counters that grew a digit"
    assert gc.collect() < 50


def test_saved_arrays_are_released_while_backward_runs():
    x = mg.tensor(np.ones(10), requires_grad=True)
    h = mg.exp(x)
    saved = weakref.ref(h.data)
    loss = (h * 2.0).sum()
    del h
    assert saved() is not None
    loss.backward()
    assert saved() is None
    assert loss.requires_grad


def test_what_no_rule_names_is_not_kept():
    x = mg.tensor(np.ones(10), requires_grad=True)
    h = x * 2.0
    alive = weakref.ref(h.data)
    y = h + 1.0
    del h
    assert alive() is None
    assert y.requires_grad


def test_eight_threads_record_at_once_with_their_own_no_grad():
    start = threading.Barrier(8)
    problems = []

    def work(k):
        rng = np.random.default_rng(k)
        start.wait()
        for i in range(200):
            x = mg.tensor(rng.normal(size=(3, 3)), requires_grad=True)
            if (i + k) % 3 == 0:
                with mg.no_grad():
                    if (x * 2).requires_grad:
                        problems.append("recorded inside no_grad")
            y = (mg.exp(x) * x).sum()
            y.backward()
            want = np.exp(x.numpy()) * (1 + x.numpy())
            if not np.allclose(x.grad.numpy(), want):
                problems.append("wrong gradient")

    threads = [threading.Thread(target=work, args=(k,)) for k in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not problems
    assert not mg.autograd.mode.paused


def test_eight_threads_add_into_one_parameter():
    w = mg.tensor(np.zeros(4), requires_grad=True)

    def work():
        for _ in range(200):
            (w * 1.0).sum().backward()

    threads = [threading.Thread(target=work) for _ in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert w.grad.tolist() == [1600.0] * 4


def test_two_threads_walk_one_retained_graph():
    x = mg.tensor(np.ones(50), requires_grad=True)
    y = x
    for _ in range(300):
        y = y * 1.0 + x * 0.0
    loss = y.sum()
    threads = [threading.Thread(target=lambda: [loss.backward(retain_graph=True) for _ in range(20)]) for _ in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert x.grad.tolist() == [80.0] * 50


def test_complex_gradients_are_pytorchs():
    z = mg.tensor(np.array([1.0 + 2.0j]), requires_grad=True)
    (z * mg.conj(z)).real.sum().backward()
    assert z.grad.tolist() == [2.0 + 4.0j]
    z.grad = None
    (z * z).real.sum().backward()
    assert z.grad.tolist() == [2.0 - 4.0j]


def test_a_rule_that_gives_too_little_is_an_error_not_broadcast():
    from minigrad.autograd.forms import apply, general

    op = general(lambda xp, x: x * 1.0, lambda g: g.sum(), name="lazy")
    x = leaf(1.0, 2.0)
    with pytest.raises(GraphError, match=r"lazy: a rule returned a gradient of shape \(\) for an input of shape \(2,\)"):
        apply(op, (x,)).sum().backward()


def test_fork_after_use():
    import multiprocessing

    x = leaf(1.0)
    (x * x).sum().backward()
    context = multiprocessing.get_context("fork")
    with context.Pool(1) as pool:
        assert pool.apply_async(_in_child, ()).get(timeout=60) == 4.0


def _in_child():
    x = leaf(2.0)
    (x * x).sum().backward()
    return x.grad.item()
