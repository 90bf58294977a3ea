"""What goes wrong on a GPU, and what the errors say."""

import pytest

import minigrad as mg
from minigrad.errors import DeviceError, OutOfMemoryError


def test_it_is_available_and_named(device, sent, capsys):
    assert mg.is_available(device)
    x = sent([1.0, 2.0])
    assert x.device == device
    assert x.numpy().tolist() == [1.0, 2.0]
    mg.show_config()
    assert device == "double" or str(x.device) in capsys.readouterr().out


def test_a_gpu_that_is_not_there():
    with pytest.raises((DeviceError, ImportError), match="cuda:99 is not available"):
        mg.ones(2).to(device="cuda:99")


def test_mixed_devices(device, sent):
    with pytest.raises(DeviceError, match="add: operands are on different devices"):
        mg.ones(2) + sent([1.0, 2.0])


def test_out_of_memory(device, sent):
    x = sent([[1.0]] * (1 << 15), requires_grad=True)
    y = x.exp()
    with pytest.raises(OutOfMemoryError, match=r"add: out of memory on .*graphs keep .*exp .*smaller batch"):
        y + mg.broadcast_to(sent([1.0]), (1, 1 << 31))
    assert (y + 1).sum().item() > 0
