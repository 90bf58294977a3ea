"""A run that is saved and resumed goes on bit by bit as if it had not been, for every optimizer."""

import copy
import json
import pickle

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn, optim
from minigrad.errors import CheckpointError
from minigrad.io import load_run, save_run


def same(a, b):
    return all(np.array_equal(p.numpy(), q.numpy()) for p, q in zip(a.parameters(), b.parameters(), strict=True))


def params(m, named):
    return m.named_parameters() if named else m.parameters()


def through_a_file(state, path):
    """With tensors by name in one file, as mg.save takes them, and the rest as JSON: numbers may become 0-d tensors."""
    flat = {f"{i}:{k}": v for i, key in enumerate(state["state"]) for k, v in state["state"][key].items()}
    mg.save(flat, path)
    groups, keys = json.loads(json.dumps([state["param_groups"], list(state["state"])]))
    back = {"state": {k: {} for k in keys}, "param_groups": groups}
    for name, v in mg.load(path).items():
        i, _, k = name.partition(":")
        back["state"][keys[int(i)]][k] = v
    return back


@pytest.mark.parametrize("way", ["memory", "run.safetensors", "state.safetensors", "state.npz", "pickle"])
def test_resuming_is_bit_exact(method, training, way, tmp_path):
    model, run = training
    straight = model()
    opt = method(straight.named_parameters())
    run(straight, opt, 5)
    weights, state = straight.state_dict(), opt.state_dict()
    run(straight, opt, 5)
    if way == "pickle":
        state = pickle.loads(pickle.dumps(state))
    elif way == "run.safetensors":
        save_run(state, tmp_path / way)
        state = load_run(tmp_path / way)
    elif way != "memory":
        state = through_a_file(state, tmp_path / way)
    other = model(1)
    other.load_state_dict(weights)
    again = method(other.named_parameters())
    again.load_state_dict(state)
    run(other, again, 5)
    assert same(straight, other)


def test_by_position_too(method, training):
    model, run = training
    straight = model()
    opt = method(straight.parameters())
    run(straight, opt, 3)
    weights, state = straight.state_dict(), opt.state_dict()
    kept = copy.deepcopy(state)
    run(straight, opt, 3)
    for key, entries in kept["state"].items():  # what was taken does not change with later steps
        for k, v in entries.items():
            assert np.array_equal(np.asarray(v), np.asarray(state["state"][key][k]))
    other = model(1)
    other.load_state_dict(weights)
    again = method(other.parameters())
    again.load_state_dict(state)
    run(other, again, 3)
    assert same(straight, other)


def test_pickled_and_copied_together(method, training):
    """A copy of model and optimizer goes its own way, from the same state."""
    model, run = training
    first = model()
    opt = method(first.named_parameters())
    run(first, opt, 3)
    copies = [copy.deepcopy((first, opt)), pickle.loads(pickle.dumps((first, opt)))]
    before = [p.numpy().copy() for p in first.parameters()]
    for m, o in copies:
        run(m, o, 3)
    assert all(np.array_equal(p.numpy(), b) for p, b in zip(first.parameters(), before, strict=True))
    run(first, opt, 3)
    for m, _ in copies:
        assert same(first, m)


def leaf(values):
    return mg.tensor(np.asarray(values, "float32"), requires_grad=True)


def test_names_survive_another_order():
    a, b, c, d = leaf([1.0]), leaf([2.0, 3.0]), leaf([1.0]), leaf([2.0, 3.0])
    opt = optim.Adam([("a", a), ("b", b)], lr=0.1)
    a.grad, b.grad = mg.tensor([1.0]), mg.tensor([1.0, -1.0])
    opt.step()
    other = optim.Adam([("b", d), ("a", c)], lr=0.1)
    other.load_state_dict(opt.state_dict())
    assert other.state[c]["exp_avg"].tolist() == opt.state[a]["exp_avg"].tolist()
    assert other.state[d]["exp_avg"].tolist() == opt.state[b]["exp_avg"].tolist()


def test_freezing_keeps_the_state():
    mg.manual_seed(0)
    model = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1))
    opt = optim.Adam(model.named_parameters(), lr=0.1)

    def step():
        opt.zero_grad()
        (model(mg.ones((4, 2))) ** 2).sum().backward()
        opt.step()

    step()
    weight = model[0].weight
    m, value = opt.state[weight]["exp_avg"].copy(), weight.numpy().copy()
    model[0].requires_grad_(False)
    step()
    assert np.array_equal(opt.state[weight]["exp_avg"], m)
    assert np.array_equal(weight.numpy(), value)
    saved = opt.state_dict()
    assert set(saved["state"]) == {n for n, _ in model.named_parameters()}
    model[0].requires_grad_(True)
    again = optim.Adam(model.named_parameters(), lr=0.1)
    again.load_state_dict(saved)
    assert (again.state[weight]["step"], again.state[model[1].weight]["step"]) == (1, 2)
    step()
    assert opt.state[weight]["step"] == 2
    assert not np.array_equal(weight.numpy(), value)


def test_a_state_of_another_precision_is_cast_when_it_is_used():
    p = leaf([1.0, 2.0])
    opt = optim.Adam([p], lr=0.1)
    p.grad = mg.ones(2)
    opt.step()
    q = mg.tensor(np.array([1.0, 2.0]), requires_grad=True)
    other = optim.Adam([q], lr=0.1)
    other.load_state_dict(opt.state_dict())
    q.grad = mg.ones(2, dtype="float64")
    other.step()
    assert other.state[q]["exp_avg"].dtype == np.float64


def test_state_that_does_not_fit_changes_nothing():
    p = leaf([1.0, 2.0])
    opt = optim.Adam([("w", p)], lr=0.1)
    p.grad = mg.ones(2)
    opt.step()
    good = opt.state_dict()
    bad = copy.deepcopy(good)
    bad["state"]["w"]["exp_avg"] = mg.tensor([1.0])
    bad["param_groups"][0]["lr"] = 5.0
    wrong = copy.deepcopy(good)
    wrong["param_groups"][0]["betas"] = (2.0, 0.9)
    renamed = {"state": {}, "param_groups": [{**good["param_groups"][0], "params": ["v"]}]}
    more = {"state": {}, "param_groups": good["param_groups"] * 2}
    for state, words in ((bad, "exp_avg"), (renamed, "'v'"), (more, "groups"), (wrong, "betas"), ({}, "param_groups")):
        with pytest.raises(ValueError, match=words) as caught:
            opt.load_state_dict(state)
        assert state is wrong or caught.type is CheckpointError
        assert opt.param_groups[0]["lr"] == 0.1
        assert opt.param_groups[0]["betas"] == (0.9, 0.999)
        assert opt.state[p]["exp_avg"].shape == (2,)
