"""Small parameters are updated together and large ones in blocks: the same numbers, whatever happens to the parameters in between."""

import copy

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn, optim
from minigrad.autograd.node import version
from minigrad.backend import compiled
from minigrad.errors import ShapeError
from minigrad.optim import storage

SHAPES = [(4, 3), (5,), (), (3, 2), (1,), (0, 3)]
ELEMENTWISE = [n for n in optim.__all__ if getattr(getattr(optim, n), "elementwise", False)]
EXTRA = {"SGD": {"momentum": 0.9, "dampening": 0.1}, "RMSprop": {"centered": True, "momentum": 0.5}, "Adam": {"amsgrad": True}}


@pytest.fixture(autouse=True)
def in_numpy():
    """A kernel in C needs no gathering; see tests/backend/test_optimizers.py."""
    with compiled.disabled():
        yield


def leaf(values, dtype="float32"):
    return mg.tensor(np.asarray(values, dtype), requires_grad=True)


def leaves(dtype="float32", shapes=SHAPES):
    rng = np.random.default_rng(0)
    return [leaf(rng.normal(size=s), dtype) for s in shapes]


def draw(opt, seed, missing=()):
    """New gradients for all parameters but some, the same for the same seed."""
    rng = np.random.default_rng(seed)
    for i, p in enumerate(opt.param_groups[0]["params"]):
        g = np.asarray(rng.normal(size=p.shape)).astype(p.dtype)
        p.grad = None if i in missing else mg.tensor(g)


def buckets(opt):
    return [b for plan in opt._plans.values() for b in plan.buckets]


def check(opt):
    """The invariants: what lies in a bucket is the state, and each bucket's arrays hold what its parameters have."""
    for b in buckets(opt):
        for k, flat in b.flat.items():
            for p, view in zip(b.params, b.arrays[k], strict=True):
                assert np.shares_memory(view, flat) or not view.size
                assert opt.state[p][k] is view


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "complex64"])
@pytest.mark.parametrize("name", ELEMENTWISE)
def test_together_is_as_alone(name, dtype, monkeypatch):
    """Bit for bit, with gradients that come and go; the state of a parameter without one does not move."""
    kind, settings = getattr(optim, name), EXTRA.get(name, {})
    a, b = leaves(dtype), leaves(dtype)
    together, alone = kind(a, **settings), kind(b, **settings)
    for k in range(9):
        missing = {k % 4, 1} if k > 2 else {3} if k == 1 else ()
        draw(together, k, missing), draw(alone, k, missing)
        before = {i: copy.deepcopy(together.state.get(a[i])) for i in missing}
        together.step()
        check(together)
        for i, state in before.items():
            now = together.state.get(a[i]) or {}
            assert all(np.array_equal(v, now[key]) for key, v in (state or {}).items())
        with monkeypatch.context() as patch:
            patch.setattr(storage, "SMALL", 0)
            patch.setattr(storage, "BLOCK", 5)
            alone.step()
        for p, q in zip(a, b, strict=True):
            assert p.dtype == dtype
            np.testing.assert_array_equal(p.numpy(), q.numpy())
            for key, v in together.state.get(p, {}).items():
                np.testing.assert_array_equal(v, alone.state[q][key], err_msg=key)
    assert buckets(together)
    assert not buckets(alone)


class Counted(optim.Adam):
    calls = 0

    def update(self, p, g, state, group):
        self.calls += 1
        super().update(p, g, state, group)


def test_the_calls_of_a_step_do_not_grow_with_its_parameters(monkeypatch):
    """50 parameters: one update instead of 50, by the count of its calls and of the operations of the double that give an array.

    (Not counted are the operators in place, as many for each update, and the write into each parameter.)
    """
    from minigrad.testing.double import array, methods, namespace, register

    register()
    count = [0]
    for module in (array, methods, namespace):
        real = module.dressed

        def noted(*args, real=real):
            count[0] += 1
            return real(*args)

        monkeypatch.setattr(module, "dressed", noted)

    def operations(n, small):
        monkeypatch.setattr(storage, "SMALL", small)
        ps = [mg.ones(10).to(device="double").requires_grad_() for _ in range(n)]
        opt = Counted(ps)
        for _ in range(3):
            for p in ps:
                p.grad = mg.ones(10).to(device="double")
            count[0], opt.calls = 0, 0
            opt.step()
        return count[0], opt.calls

    apart, calls = operations(50, 0)
    assert calls == 50
    joint, calls = operations(50, 1 << 14)
    assert calls == 1
    assert apart > 50 * 10
    assert joint < 10


def test_a_bucket_has_a_limit(monkeypatch):
    monkeypatch.setattr(storage, "BLOCK", 20)
    opt = Counted(leaves(shapes=[(6,)] * 7))
    draw(opt, 0)
    opt.step()
    assert [len(b.params) for b in buckets(opt)] == [3, 3]
    assert opt.calls == 3


def test_parameters_keep_their_memory_and_their_versions():
    """They are no views of one array: a step that moves one of two parameters does not count as a write to the other."""
    p, q = leaf([1.0, 2.0]), leaf([3.0])
    data = p.data, q.data
    opt = optim.SGD([p, q], lr=0.1)
    draw(opt, 0)
    opt.step()
    assert (p.data is data[0], q.data is data[1]) == (True, True)
    assert version(p.data) == version(q.data) == 1
    loss = (q * q).sum()
    draw(opt, 1, {1})
    opt.step()
    loss.backward()  # q was saved, and only p has been written to
    assert (version(p.data), version(q.data)) == (2, 1)


def follow(change, named=False, name="Adam"):
    """A step, a change that is made to the model or the optimizer, two steps: as if all had been updated alone."""
    results = []
    for small in (1 << 14, 0):
        before, storage.SMALL = storage.SMALL, small
        try:
            mg.manual_seed(0)
            model = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2))
            opt = getattr(optim, name)(model.named_parameters() if named else model.parameters(), lr=0.1)
            draw(opt, 0)
            opt.step()
            opt, model = change(opt, model) or (opt, model)
            for k in (1, 2):
                draw(opt, k)
                opt.step()
                check(opt)
            results.append([p.numpy() for p in model.parameters()])
            if small:
                assert len(buckets(opt)) == 1
        finally:
            storage.SMALL = before
    for a, b in zip(*results, strict=True):
        np.testing.assert_array_equal(a, b)
        assert a.dtype == b.dtype
    return results[0]


def test_after_a_cast():
    assert follow(lambda opt, model: model.double() and None)[0].dtype == np.float64
    assert follow(lambda opt, model: model.half() and None)[0].dtype == np.float16


def test_after_data_was_replaced():
    def change(opt, model):
        model[0].weight.data = np.asfortranarray(np.ones((4, 3), "float32"))
        model[1].bias.data = np.zeros(2, "float32")

    follow(change)


def test_after_values_were_written():
    def change(opt, model):
        with mg.no_grad():
            model[0].weight[...] = 2.0
        model.load_state_dict({k: v + 1 for k, v in model.state_dict().items()})

    follow(change)


def test_after_the_state_was_loaded_or_changed():
    def loaded(opt, model):
        opt.load_state_dict(opt.state_dict())

    def changed(opt, model):
        opt.state[model[0].bias]["exp_avg"] = np.full(4, 3.0, "float32")
        opt.state[model[0].weight]["exp_avg"][...] = 1.0
        del opt.state[model[1].bias]["exp_avg_sq"]

    follow(loaded)
    follow(loaded, named=True)
    follow(changed)


def test_after_counters_were_made_different():
    opt = optim.Adam(leaves())
    draw(opt, 0)
    opt.step()
    opt.state[opt.param_groups[0]["params"][0]]["step"] = 7
    draw(opt, 1)
    opt.step()
    assert [opt.state[p]["step"] for p in opt.param_groups[0]["params"]] == [8, 2, 2, 2, 2, 2]


def test_after_a_copy():
    follow(lambda opt, model: copy.deepcopy((opt, model)))


def test_a_shallow_copy_and_its_original_take_turns():
    ps = leaves()
    opt = optim.Adam(ps)
    twin = copy.copy(opt)
    alone = optim.Adam(leaves())
    for k in range(6):
        one = (opt, twin)[k % 2]
        draw(one, k), draw(alone, k)
        one.step(), alone.step()
        check(one)
    for p, q in zip(ps, alone.param_groups[0]["params"], strict=True):
        np.testing.assert_array_equal(p.numpy(), q.numpy())


def test_two_optimizers_over_the_same_parameters():
    results = []
    for small in (1 << 14, 0):
        before, storage.SMALL = storage.SMALL, small
        try:
            ps = leaves()
            first, second = optim.Adam(ps, lr=0.1), optim.SGD(ps, lr=0.1, momentum=0.9)
            for k in range(4):
                draw(first, k)
                first.step()
                second.step()
            results.append([p.numpy() for p in ps])
        finally:
            storage.SMALL = before
    for a, b in zip(*results, strict=True):
        np.testing.assert_array_equal(a, b)


def test_tied_parameters():
    """One Parameter in two places is one parameter; two that share memory are updated one after the other."""
    model = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    model[1].weight = model[0].weight
    opt = optim.SGD(model.parameters(), lr=0.1)
    assert len(opt.param_groups[0]["params"]) == 3
    p, q, r = leaf([1.0, 2.0]), leaf([0.0, 0.0]), leaf([1.0, 2.0])
    q.data = p.data
    opt = optim.SGD([p, q, r], lr=1.0)
    for t in (p, q, r):
        t.grad = mg.ones(2)
    opt.step()
    assert p.tolist() == [-1.0, 0.0]
    assert r.tolist() == [0.0, 1.0]


def test_a_setting_that_adds_state():
    ps = leaves()
    opt = optim.SGD(ps, lr=0.1)
    draw(opt, 0)
    opt.step()
    assert not any(opt.state[p] for p in ps)
    opt.param_groups[0]["momentum"] = 0.9
    draw(opt, 1)
    opt.step()
    assert all("momentum_buffer" in opt.state[p] for p in ps)


def test_memory_of_those_that_left():
    """A bucket that is given up holds on to nothing: who was in it has arrays of its own."""
    ps = leaves()
    opt = optim.Adam(ps)
    draw(opt, 0)
    opt.step()
    draw(opt, 1, {0, 1})
    opt.step()
    assert opt.state[ps[0]]["exp_avg"].base is None
    assert opt.state[ps[3]]["exp_avg"].base is not None


def test_another_shape_is_refused():
    p, q = leaf([1.0, 2.0]), leaf([1.0])
    opt = optim.Adam([p, q])
    draw(opt, 0)
    opt.step()
    p.data = np.zeros(3, "float32")
    p.requires_grad_(False).requires_grad_()
    draw(opt, 1)
    with pytest.raises(ShapeError, match="exp_avg has shape"):
        opt.step()


def test_large_parameters_in_any_layout(monkeypatch):
    monkeypatch.setattr(storage, "SMALL", 4)
    monkeypatch.setattr(storage, "BLOCK", 7)
    a = np.random.default_rng(0).normal(size=(6, 5)).astype("float32")
    g = np.random.default_rng(1).normal(size=(5, 6)).astype("float32")
    results = []
    for data in (a.copy(), np.asfortranarray(a), np.repeat(a, 2, axis=1)[:, ::2]):
        p = leaf(a)
        p.data = data
        opt = optim.Adam([p], lr=0.1)
        for _ in range(3):
            p.grad = mg.tensor(g).T.detach()
            opt.step()
        assert p.data is data
        results.append(p.numpy())
    np.testing.assert_array_equal(results[0], results[1])
    np.testing.assert_array_equal(results[0], results[2])


def test_a_saved_file_holds_contiguous_arrays(tmp_path):
    opt = optim.Adam([(f"p{i}", p) for i, p in enumerate(leaves())])
    draw(opt, 0)
    opt.step()
    for entries in opt.state_dict()["state"].values():
        assert all(v.data.base is None for k, v in entries.items() if k != "step")
