"""Steps of recurrent nets: all that is not a product of matrices, in one pass over the gates."""

from collections.abc import Callable
from typing import Any

from .forms import Family, Form

FAMILY = Family("recurrent")


def _step(c: Form, plain: Callable) -> Callable:
    """Of all steps: they write into arrays that they are given, of which the gates or their slopes come first."""

    def kernel(gates: Any, *args: Any) -> None:
        if gates.size < c.least or c.call(gates, *args):
            plain(gates, *args)

    return kernel


FAMILY.form("rnn_step", "ool", least=16384)(_step)  # which NumPy does in two passes, as quickly on one thread
for _name, _takes in {
    "rnn_step_gradient": "ooool",
    "lstm_step": "ooooo",
    "lstm_step_gradient": "ooooooo",
    "gru_step": "oooooo",
    "gru_step_gradient": "ooooooo",
}.items():
    FAMILY.form(_name, _takes, least=64)(_step)
