"""Steps, averages and norms in C: against float64 and against NumPy's forms, over lists of arrays of any size."""

import copy
import itertools

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn, optim
from minigrad.autograd.node import version
from minigrad.backend import compiled
from minigrad.backend.compiled import library
from minigrad.nn.utils import clip_grad_norm_, get_total_norm

SHAPES = [(3, 5), (), (1,), (0, 4), (64,), (4096,), (4097,), (100, 130), (63,), (8191,)]
SGD = [
    dict(zip(("momentum", "dampening", "weight_decay", "maximize"), v, strict=True))
    for v in itertools.product((0.0, 0.9), (0.0, 0.3), (0.0, 0.1), (False, True))
] + [{"momentum": 0.9, "nesterov": True, "weight_decay": d} for d in (0.0, 0.1)]
ADAM = [
    dict(zip(("weight_decay", "amsgrad", "decoupled_weight_decay", "maximize"), v, strict=True))
    for v in itertools.product((0.0, 0.1), (False, True), (False, True), (False, True))
]
DIRECTED = [
    dict(zip(("weight_decay", "decoupled_weight_decay", "maximize"), v, strict=True))
    for v in itertools.product((0.0, 0.1), (False, True), (False, True))
]
RMSPROP = [
    dict(zip(("momentum", "centered", "weight_decay", "maximize"), v, strict=True))
    for v in itertools.product((0.0, 0.9), (False, True), (0.0, 0.1), (False, True))
]
ADAGRAD = [{}, {"lr_decay": 0.1, "weight_decay": 0.1}, {"initial_accumulator_value": 0.1, "maximize": True}]
CONFIGURATIONS = [
    *[("SGD", s) for s in SGD],
    *[("Adam", s) for s in ADAM],
    ("AdamW", {}),
    *[("NAdam", s) for s in DIRECTED],
    *[("RAdam", s | {"betas": (0.9, b)}) for s in DIRECTED for b in (0.8, 0.999)],
    *[("Adamax", {"weight_decay": d, "maximize": m}) for d in (0.0, 0.1) for m in (False, True)],
    *[("RMSprop", s) for s in RMSPROP],
    *[("Adagrad", s) for s in ADAGRAD],
]


@pytest.fixture(autouse=True)
def everywhere(in_c):
    with compiled.everywhere():
        yield


def parameters(dtype="float32", shapes=SHAPES):
    rng = np.random.default_rng(0)
    return [mg.tensor(rng.normal(size=s).astype("float32").astype(dtype), requires_grad=True) for s in shapes]


def give(ps, seed):
    rng = np.random.default_rng(seed)
    for p in ps:
        p.grad = mg.tensor(np.asarray(rng.normal(size=p.shape), "float32").astype(p.dtype))


def values(opt):
    """By name, all numbers of the parameters and of their state in one array."""
    ps = [p for g in opt.param_groups for p in g["params"]]
    states = {k: np.concatenate([opt.state[p][k] for p in ps], None) for k in opt.state.get(ps[0], ()) if k not in ("step", "mu_product")}
    return {"p": np.concatenate([p.numpy() for p in ps], None), **states}


@pytest.mark.parametrize(("name", "settings"), CONFIGURATIONS)
def test_a_step_is_that_of_numpy(name, settings, in_c):
    """From the same state, the step of NumPy but for a few units in the last place of the largest term; and as near to float64."""
    ps, steps = parameters(), 8 if name == "RAdam" else 4  # with betas[1] = 0.8 it is rectified from the seventh on
    opt = getattr(optim, name)(ps, lr=0.01, **settings)
    for k in range(steps):
        twin_ps, twin = copy.deepcopy((ps, opt))
        exact_ps = [mg.tensor(p.numpy().astype("float64"), requires_grad=True) for p in ps]
        exact = getattr(optim, name)(exact_ps, lr=0.01, **settings)
        exact.load_state_dict(opt.state_dict())
        for many in (ps, twin_ps, exact_ps):
            give(many, k)
        g = np.concatenate([p.grad.numpy() for p in ps], None)
        before = values(opt)
        opt.step()
        with compiled.disabled():
            twin.step()
            exact.step()
        c, numpy, truth = values(opt), values(twin), values(exact)
        assert c.keys() == numpy.keys()
        for key, want in truth.items():
            added = {"p": 0.05, "momentum_buffer": g, "exp_avg": 0.1 * g}.get(key, 0.0) + 0 * g  # which may cancel what was there
            if name == "RMSprop":  # quotients of up to 10, each rounded more than once
                added = {"p": 0.3, "momentum_buffer": 30.0}.get(key, 0.0) + 0 * g
            terms = np.abs([want, before.get(key, added), added]).max(0)
            ulp = np.spacing(terms.astype("float32"))
            assert c[key].dtype == np.float32
            assert np.abs((c[key] - numpy[key].astype("float64")) / ulp).max() <= 3
            errors = [np.sqrt((((v[key] - want) / ulp) ** 2).mean()) for v in (c, numpy)]
            assert errors[0] <= (1.05 if name == "RMSprop" else 1.02) * errors[1]  # all of its first quotients are rounded alike
        assert all(opt.state[p].get("step") == twin.state[q].get("step") for p, q in zip(ps, twin_ps, strict=True))
    assert in_c[{"AdamW": "adam"}.get(name, name.lower())] == steps


@pytest.mark.parametrize("name", ["SGD", "Adam"])
def test_one_call_for_fifty_parameters(name, in_c):
    ps = parameters(shapes=[(10,)] * 50)
    opt = getattr(optim, name)(ps)
    for k in range(3):
        give(ps, k)
        opt.step()
    assert in_c[name.lower()] == 3
    assert not any(plan.buckets or plan.alone for plan in opt._plans.values())
    assert {version(p.data) for p in ps} == {3}


@pytest.mark.parametrize("name", ["SGD", "Adam"])
def test_lists_threads_and_neighbours_do_not_show(name, monkeypatch):
    """The same bits alone and together, on any number of threads."""
    shapes = [*SHAPES, (300, 200)]
    settings = {"momentum": 0.9, "weight_decay": 0.1} if name == "SGD" else {"amsgrad": True, "weight_decay": 0.1}
    results = []
    for n in (1, 2, 3, 7):
        monkeypatch.setenv("MINIGRAD_THREADS", str(n))
        library.attach(library.load("optimizers"))
        ps = parameters(shapes=shapes)
        opts = [getattr(optim, name)(ps, **settings)] if n < 7 else [getattr(optim, name)([p], **settings) for p in ps]
        for k in range(3):
            give(ps, k)
            for opt in opts:
                opt.step()
        results.append([p.numpy() for p in ps])
    monkeypatch.undo()
    library.attach(library.load("optimizers"))
    for other in results[1:]:
        for a, b in zip(results[0], other, strict=True):
            np.testing.assert_array_equal(a, b)


def test_a_formula_of_ones_own_is_used(in_c):
    class Mine(optim.Adam):
        def move(self, xp, p, g, m, v, s, state, group):
            p -= 1.0

    class Other(optim.SGD):
        def update(self, p, g, state, group):
            p -= 2.0

    class Named(optim.AdamW):
        """The formula of AdamW."""

    ps = parameters(shapes=[(3,), (4,)])
    before = [p.numpy().copy() for p in ps]
    for kind in (Mine, Other):
        give(ps, 0)
        kind(ps).step()
    for p, b in zip(ps, before, strict=True):
        np.testing.assert_allclose(p.numpy(), b - 3, rtol=1e-6)
    assert not in_c["adam"] + in_c["sgd"]
    Named(ps).step()
    assert in_c["adam"] == 1
    assert all(getattr(optim, n).kernels is None for n in ("Yogi", "AdaBelief", "LAMB", "ASGD", "LARS"))
    assert len({getattr(optim, n).kernels for n in ("Adam", "NAdam", "RAdam", "Adamax", "RMSprop", "Adagrad", "SGD")}) == 7


def test_what_c_does_not_take_is_left_to_numpy(in_c):
    """Other dtypes and layouts, arrays that share memory, that may not be written to; the rest of the group is still done in C."""
    rng = np.random.default_rng(0)

    def made():
        ps = parameters(shapes=[(4, 3)] * 6)
        ps[1].data = np.asfortranarray(ps[1].data)
        ps[2].data = np.repeat(ps[2].data, 2, axis=1)[:, ::2]
        ps[3].data = ps[4].data
        return [*ps, *parameters("float64", [(3,)]), *parameters("float16", [(3,)])]

    results = []
    for mode in (compiled.everywhere, compiled.disabled):
        with mode():
            ps = made()
            opt = optim.Adam(ps, lr=0.1)
            for k in range(3):
                give(ps, k)
                if k == 1:  # gradients in another order of memory
                    ps[0].grad = mg.tensor(rng.normal(size=(3, 4)).astype("float32") * 0 + 1).T.detach()
                opt.step()
            results.append([p.numpy() for p in ps])
    for a, b in zip(*results, strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_allclose(a, b, rtol=2e-3 if a.dtype == np.float16 else 1e-5)
    assert in_c["adam"] == 3


def test_memory_that_may_not_be_written_to(in_c):
    p, q = parameters(shapes=[(3,), (3,)])
    p.data.flags.writeable = False
    before = q.numpy().copy()
    give([p, q], 0)
    with pytest.raises(ValueError, match="read-only"):
        optim.SGD([p, q]).step()
    assert not in_c["sgd"]
    np.testing.assert_array_equal(q.numpy(), before)


def test_gradients_come_and_go_and_forms_change(in_c):
    """State passes from lists to buckets and back."""
    results = []
    for modes in ((compiled.everywhere, compiled.disabled), (compiled.disabled,)):
        ps = parameters(shapes=[(3, 4), (5,), (2,), (6, 6)])
        opt = optim.Adam(ps, lr=0.1)
        for k in range(12):
            give(ps, k)
            if k % 3 == 2:
                ps[k % 4].grad = None
            with modes[k // 2 % len(modes)]():
                opt.step()
            if k == 7:
                ps, opt = copy.deepcopy((ps, opt))
        results.append([*[p.numpy() for p in ps], np.array([opt.state[p]["step"] for p in ps])])
    for a, b in zip(*results, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)
    assert in_c["adam"] >= 6


def test_a_run_resumed_in_c_goes_on_bit_by_bit(tmp_path, in_c):
    def run(model, opt, steps):
        for k in steps:
            give(list(model.parameters()), k)
            opt.step()

    model = nn.Sequential(nn.Linear(30, 70), nn.Linear(70, 3))
    opt = optim.AdamW(model.named_parameters(), amsgrad=True)
    run(model, opt, range(3))
    mg.io.save_run({"model": model.state_dict(), "optimizer": opt.state_dict()}, tmp_path / "run.safetensors")
    run(model, opt, range(3, 6))
    other = nn.Sequential(nn.Linear(30, 70), nn.Linear(70, 3))
    again = optim.AdamW(other.named_parameters(), amsgrad=True)
    back = mg.io.load_run(tmp_path / "run.safetensors")
    other.load_state_dict(back["model"])
    again.load_state_dict(back["optimizer"])
    run(other, again, range(3, 6))
    for p, q in zip(model.parameters(), other.parameters(), strict=True):
        np.testing.assert_array_equal(p.numpy(), q.numpy())
    assert in_c["adam"] == 9


def test_what_is_not_finite():
    for name, settings in CONFIGURATIONS:
        results = []
        for mode in (compiled.everywhere, compiled.disabled):
            with mode():
                ps = [mg.tensor(np.array([1, np.inf, np.nan, -0.0, 1, 1], "float32"), requires_grad=True)]
                opt = getattr(optim, name)(ps, lr=0.1, **settings)
                for _ in range(2):
                    ps[0].grad = mg.tensor(np.array([1, 1, 1, -0.0, np.inf, np.nan], "float32"))
                    opt.step()
                results.append(values(opt))
        for key, want in results[1].items():
            np.testing.assert_allclose(results[0][key], want, rtol=1e-6, atol=1e-7, err_msg=f"{name} {settings}")


# -- norms and averages -----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("shapes", [SHAPES, [(5,)], [(0,)], [()], [(700, 900), (3,)]])
def test_norms(shapes, in_c):
    ps = parameters(shapes=shapes)
    give(ps, 1)
    exact = np.sqrt(sum((p.grad.numpy().astype("float64") ** 2).sum() for p in ps))
    total = get_total_norm([p.grad for p in ps])
    assert total.dtype == np.float32
    assert total.shape == ()
    assert total.item() == np.float32(exact)
    for limit in (0.5 * exact + 0.1, 2 * exact + 1):
        give(ps, 1)
        before = [p.grad.numpy().copy() for p in ps]
        got = clip_grad_norm_(ps, limit)
        assert got.item() == np.float32(exact)
        factor = min(1.0, limit / (exact + 1e-6))
        for p, b in zip(ps, before, strict=True):
            np.testing.assert_allclose(p.grad.numpy(), b * factor, rtol=1e-6)
            assert version(p.grad.data) == 1
    assert (in_c["norm"], in_c["scale"]) == (3, 2)


def test_norms_do_not_depend_on_threads(monkeypatch):
    ps = parameters(shapes=[(999, 777), (100,)])
    results = []
    for n in (1, 2, 3, 7):
        monkeypatch.setenv("MINIGRAD_THREADS", str(n))
        library.attach(library.load("optimizers"))
        results.append(get_total_norm(ps).item())
    monkeypatch.undo()
    library.attach(library.load("optimizers"))
    assert len(set(results)) == 1


def test_norms_that_c_refuses(in_c):
    a = np.random.default_rng(0).normal(size=(40, 30)).astype("float32")
    for many in ([a.T], [a, a.astype("float64")], [a.astype("float16")], [a[:, ::2]]):
        want = np.sqrt(sum((m.astype("float64") ** 2).sum() for m in many))
        assert get_total_norm([mg.tensor(m) if m.base is None else wrapped(m) for m in many]).item() == pytest.approx(want, rel=1e-4)
    assert get_total_norm([mg.tensor(a)], 1.0).item() == pytest.approx(abs(a).sum(), rel=1e-5)
    assert not in_c["norm"]
    p = mg.tensor(a, requires_grad=True)
    p.grad = wrapped(a.T.copy().T)
    clip_grad_norm_([p], 1.0)
    assert get_total_norm([p.grad]).item() == pytest.approx(1, rel=1e-5)


def wrapped(a):
    t = mg.tensor(np.zeros(a.shape, a.dtype))
    t.data = a
    return t


def test_norms_that_are_not_finite():
    for bad in (np.nan, np.inf):
        p = mg.tensor(np.ones(100, "float32"), requires_grad=True)
        g = np.ones(100, "float32")
        g[50] = bad
        p.grad = mg.tensor(g)
        total = clip_grad_norm_([p], 1.0).item()
        assert np.isnan(total) if np.isnan(bad) else total == np.inf
        assert np.isnan(p.grad.numpy()[50])
    big = mg.tensor(np.full(4, 1e30, "float32"))
    assert get_total_norm([big]).item() == np.float32(2e30)  # float32 squares would overflow


@pytest.mark.parametrize("make", [lambda m: optim.EMA(m, 0.9, warmup=True), optim.AveragedModel])
def test_averages(make, in_c):
    results = []
    for mode in (compiled.everywhere, compiled.disabled):
        with mode():
            mg.manual_seed(0)
            model = nn.Sequential(nn.Linear(30, 70), nn.Linear(70, 3))
            average = make(model)
            for k in range(4):
                give(list(model.parameters()), k)
                optim.SGD(model.parameters(), lr=0.1).step()
                average.update_parameters(model)
            results.append([p.numpy() for p in average.module.parameters()])
    for a, b in zip(*results, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-7)
    assert in_c["averaged"] == 16
