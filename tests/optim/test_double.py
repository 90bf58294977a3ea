"""Every optimizer on the strict double of a GPU: what NumPy computes, and not one wait in a step."""

import numpy as np
import pytest

from minigrad import optim
from minigrad.optim import storage
from minigrad.testing.double import DoubleArray, no_sync, register

register()


@pytest.mark.parametrize("small", [0, 1 << 14])
def test_ten_steps(method, training, small, monkeypatch):
    monkeypatch.setattr(storage, "SMALL", small)
    model, run = training
    here, there = model(), model()
    there.to(device="double")
    run(here, method(here.parameters()), 10)
    opt = method(there.parameters())
    step = opt.step

    def watched(closure):
        closure()
        with no_sync():
            step()

    if method.kind is not optim.LBFGS:  # which decides by values
        opt.step = watched
    run(there, opt, 10)
    for p, q in zip(here.parameters(), there.parameters(), strict=True):
        assert isinstance(q.data, DoubleArray)
        np.testing.assert_allclose(q.detach().numpy(), p.detach().numpy(), rtol=2e-4, atol=2e-5)


def test_the_state_follows_the_parameters(method, training):
    """Moved to the device and back between steps."""
    model, run = training
    if method.kind is optim.LBFGS:
        return
    here, there = model(), model()
    stay, go = method(here.parameters()), method(there.parameters())
    for device in ("cpu", "double", "cpu"):
        there.to(device=device)
        run(there, go, 2)
        run(here, stay, 2)
    for p, q in zip(here.parameters(), there.parameters(), strict=True):
        np.testing.assert_allclose(q.detach().numpy(), p.detach().numpy(), rtol=2e-4, atol=2e-5)


def test_a_saved_state_goes_to_the_device(method, training):
    model, run = training
    here, there = model(), model()
    opt = method(here.parameters())
    run(here, opt, 3)
    there.load_state_dict(here.state_dict())
    there.to(device="double")
    again = method(there.parameters())
    again.load_state_dict(opt.state_dict())
    run(here, opt, 2)
    run(there, again, 2)
    for p, q in zip(here.parameters(), there.parameters(), strict=True):
        np.testing.assert_allclose(q.detach().numpy(), p.detach().numpy(), rtol=2e-4, atol=2e-5)
