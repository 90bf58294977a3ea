"""mg.capture on a GPU: nothing is recorded there yet, so the step is called as it is, with a warning that says so."""

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn, optim
from minigrad.testing.double import put, register

register()


@pytest.mark.parametrize("place", ["tensors", "arrays"])
def test_the_step_is_called_as_it_is(place):
    mg.manual_seed(0)
    model = nn.Linear(2, 1)
    optimizer = optim.SGD(model.parameters(), lr=0.1)

    def step(x, y):
        optimizer.zero_grad()
        loss = ((model(x) - y) ** 2).mean()
        loss.backward()
        optimizer.step()
        return loss

    captured = mg.capture(step)
    batch = [np.ones((4, 2), "float32"), np.zeros((4, 1), "float32")]
    here = [captured(*[mg.tensor(a) for a in batch]).item() for _ in range(3)]
    assert captured.replays == 1
    model.to(device="double")
    there = [put(a) if place == "arrays" else mg.tensor(a).to(device="double") for a in batch]
    with pytest.warns(RuntimeWarning, match="step is called as it is, .*: it computes on double, and what is recorded so far") as warned:
        losses = [captured(*there).item() for _ in range(3)]
    assert len(warned) == 1
    assert warned[0].filename == __file__
    assert here == sorted(here, reverse=True)
    assert here[-1] > losses[0] > losses[1] > losses[2]
    assert captured.replays == 1


def test_parameters_alone_on_the_device():
    model = nn.Linear(2, 1).to(device="double")
    captured = mg.capture(lambda: model(mg.ones((4, 2), device="double")).detach())
    with pytest.warns(RuntimeWarning, match="computes on double"):
        assert captured().shape == (4, 1)
