"""Optimizers: the algebra of a step, groups, and what they refuse."""

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn, optim
from minigrad.errors import DTypeError, GraphError


def leaf(values, dtype="float32"):
    return mg.tensor(np.asarray(values, dtype), requires_grad=True)


def step(opt, *pairs):
    for p, g in pairs:
        p.grad = None if g is None else mg.tensor(np.asarray(g, p.dtype))
    opt.step()


def test_sgd_by_hand():
    p = leaf([1.0], "float64")
    opt = optim.SGD([p], lr=0.1, momentum=0.5, weight_decay=0.2)
    v, x = 0.0, 1.0
    for g in (1.0, -2.0, 0.5):
        step(opt, (p, [g]))
        v = 0.5 * v + g + 0.2 * x
        x -= 0.1 * v
        assert p.item() == pytest.approx(x, rel=1e-12)


def test_adam_first_step_has_the_size_of_lr():
    p = leaf([1.0, 1.0])
    step(optim.Adam([p], lr=0.1), (p, [1e-3, -50.0]))
    assert p.tolist() == pytest.approx([0.9, 1.1], abs=1e-4)


def test_adamw_decays_the_parameter_alone():
    p = leaf([2.0], "float64")
    step(optim.AdamW([p], lr=0.1, weight_decay=0.5), (p, [0.0]))
    assert p.item() == pytest.approx(1.9)


def test_every_method_gets_down(method, training):
    model, run = training
    m = model()
    x = mg.tensor(np.random.default_rng(0).normal(size=(8, 3)).astype("float32"))
    before = ((m(x) - 0.5) ** 2).sum().item()
    run(m, method(m.parameters()), 100)
    assert ((m(x) - 0.5) ** 2).sum().item() < 0.8 * before


def test_the_array_and_the_gradient_stay_in_place(method):
    p = leaf([[1.0, 2.0], [3.0, 4.0]])
    data, g = p.data, mg.tensor([[0.5, 0.5], [-0.5, 0.25]])
    p.grad = g
    kept = p.grad.numpy().copy()

    def closure():
        p.grad = g
        return (g * p).sum()

    method([p]).step(closure)
    assert p.data is data
    assert np.array_equal(p.grad.numpy(), kept)
    assert not np.array_equal(p.numpy(), [[1.0, 2.0], [3.0, 4.0]])


def test_a_step_between_forward_and_backward_is_noticed(method):
    p = leaf([[1.0, 2.0], [3.0, 4.0]])
    loss = (p * p).sum()
    p.grad = mg.ones((2, 2))
    method([p]).step(lambda: mg.tensor(1.0))
    with pytest.raises(GraphError, match=r"step"):
        loss.backward()


def test_parameters_without_gradient_are_left_alone(method):
    p, q = leaf([[1.0]]), leaf([[1.0]])
    opt = method([p, q])
    p.grad = mg.ones((1, 1))
    opt.step(lambda: mg.tensor(1.0))
    assert q.item() == 1
    assert q not in opt.state


def test_a_gradient_of_zero_is_a_gradient():
    p = leaf([1.0])
    opt = optim.Adam([p], lr=0.1, weight_decay=0.1)
    step(opt, (p, [0.0]))
    assert p.item() != 1


def test_bad_parameters():
    p = leaf([1.0])
    for params, error, words in (
        ([], ValueError, "no parameters"),
        ([{"params": []}], ValueError, "no parameters"),
        ([p, p], ValueError, "twice"),
        ([{"params": [p]}, {"params": [p]}], ValueError, "twice"),
        ([p * 2], ValueError, "computed"),
        ([3.0], DTypeError, "float"),
        ([mg.tensor([1, 2])], DTypeError, "int64"),
        (p, DTypeError, "iterable"),
        ({p}, DTypeError, "order"),
        (None, DTypeError, "NoneType"),
        ([{"params": {p}}], DTypeError, "order"),
        ([{"lr": 1.0}], DTypeError, "'params'"),
        ([{"params": [p]}, leaf([1.0])], DTypeError, "a dict"),
        ([("a", p), ("a", leaf([2.0]))], ValueError, "same name"),
        ([("a", p), leaf([2.0])], ValueError, "name all"),
        ([{"params": [("a", p)]}, {"params": [leaf([2.0])]}], ValueError, "name all"),
        ([{"params": [p], "lrr": 1}], ValueError, "lrr"),
    ):
        with pytest.raises(error, match=words):
            optim.SGD(params, lr=0.1)
    used = (t for t in ())
    with pytest.raises(ValueError, match="generator"):
        optim.SGD(used)


def test_parameters_without_values_yet():
    model = nn.LazyLinear(2)
    with pytest.raises(ValueError, match="dry run"):
        optim.SGD(model.parameters())
    model(mg.ones((1, 3)))
    optim.SGD(model.parameters())


@pytest.mark.parametrize("name", ["Adafactor", "LAMB", "LARS", "Muon", "LBFGS"])
def test_complex_parameters_are_refused_where_they_make_no_sense(name):
    p = mg.tensor(np.ones((2, 2), "complex64"), requires_grad=True)
    with pytest.raises(DTypeError, match="complex64"):
        getattr(optim, name)([p])


BAD = [
    ("SGD", {"momentum": -0.1}),
    ("SGD", {"nesterov": True}),
    ("SGD", {"nesterov": True, "momentum": 0.9, "dampening": 0.1}),
    ("SGD", {"dampening": float("nan")}),
    ("ASGD", {"lambd": -1.0}),
    ("ASGD", {"t0": float("inf")}),
    ("Adagrad", {"lr_decay": -1}),
    ("Adagrad", {"initial_accumulator_value": -1}),
    ("Adadelta", {"rho": 1.1}),
    ("RMSprop", {"alpha": -0.1}),
    ("RMSprop", {"momentum": float("nan")}),
    ("Rprop", {"etas": (1.2, 0.5)}),
    ("Rprop", {"step_sizes": (1.0, 0.1)}),
    ("Adam", {"betas": (1.0, 0.9)}),
    ("Adam", {"betas": (0.9,)}),
    ("Adam", {"betas": (0.9, float("nan"))}),
    ("Adam", {"eps": -1e-8}),
    ("AdamW", {"weight_decay": -1}),
    ("NAdam", {"momentum_decay": -1}),
    ("Yogi", {"initial_accumulator_value": float("inf")}),
    ("Adafactor", {"beta2_decay": 0.1}),
    ("Adafactor", {"eps": (-1.0, 1e-3)}),
    ("Adafactor", {"eps": (None, float("nan"))}),
    ("Adafactor", {"d": 0.5}),
    ("LARS", {"trust_coefficient": -1}),
    ("Muon", {"momentum": 1.5}),
    ("Muon", {"ns_steps": 100}),
    ("Muon", {"ns_coefficients": (1.0, 2.0)}),
    ("Muon", {"adjust_lr_fn": "other"}),
    ("LBFGS", {"max_iter": 0}),
    ("LBFGS", {"history_size": 0}),
    ("LBFGS", {"line_search_fn": "armijo"}),
    ("LBFGS", {"tolerance_grad": -1}),
]


@pytest.mark.parametrize(("name", "settings"), BAD)
def test_bad_settings(name, settings):
    with pytest.raises(ValueError, match=name):
        getattr(optim, name)([leaf([[1.0]])], **settings)


def test_bad_rates(method):
    p = leaf([[1.0]])
    for lr in (-1, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="lr must be a finite number >= 0"):
            method([p], lr=lr)
    with pytest.raises(DTypeError, match="lr must be a number"):
        method([p], lr="fast")


def test_muon_takes_matrices_and_lbfgs_one_group():
    p, q = leaf([[1.0]]), leaf([1.0])
    with pytest.raises(ValueError, match="matrices"):
        optim.Muon([p, q])
    with pytest.raises(ValueError, match="one group"):
        optim.LBFGS([{"params": [p]}, {"params": [q]}])


def test_groups_have_settings_of_their_own():
    p, q, r = leaf([1.0]), leaf([1.0]), leaf([1.0])
    opt = optim.SGD([{"params": [p]}, {"params": q, "lr": 1.0}], lr=0.1)
    opt.add_param_group({"params": [r], "lr": 0.0})
    step(opt, (p, [1.0]), (q, [1.0]), (r, [1.0]))
    assert [round(t.item(), 6) for t in (p, q, r)] == [0.9, 0.0, 1.0]
    assert "group 2" in repr(opt)


def test_a_group_that_is_refused_is_not_added():
    p, q = leaf([1.0]), leaf([1.0])
    opt = optim.SGD([p], lr=0.1)
    for group in ({"params": [q], "lr": -1.0}, {"params": [q, p]}, {"params": [q], "what": 1}):
        with pytest.raises(ValueError):
            opt.add_param_group(group)
    assert len(opt.param_groups) == 1
    opt.add_param_group({"params": [q]})


def test_a_group_added_later_starts_afresh():
    p, q = leaf([1.0]), leaf([1.0])
    opt = optim.Adam([p], lr=0.1)
    step(opt, (p, [1.0]))
    opt.add_param_group({"params": [q]})
    step(opt, (p, [1.0]), (q, [1.0]))
    assert (opt.state[p]["step"], opt.state[q]["step"]) == (2, 1)
    assert q.item() == pytest.approx(0.9, abs=1e-5)


@pytest.mark.parametrize("method", [optim.SGD, optim.Adam])
def test_backward_after_a_step_names_the_step(method):
    """The parameters of a step are written together; the graph notices each of them, again and again."""
    x, y = (mg.tensor([v], requires_grad=True) for v in (2.0, 3.0))
    opt = method([x, y], lr=0.1)
    for count in (1, 2):
        loss = (x * x).sum() + (y * y).sum()
        loss.backward(retain_graph=True)
        opt.step()
        assert x._version == y._version == count
        with pytest.raises(GraphError, match=rf"{method.__name__}\.step"):
            loss.backward()
