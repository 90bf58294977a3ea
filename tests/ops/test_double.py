"""Every op on the strict double of a GPU: the values and gradients of NumPy, without the host reading or sending anything."""

import contextlib

import numpy as np
import pytest

from minigrad.errors import MinigradError
from minigrad.testing.checks import close
from minigrad.testing.double import DoubleArray, SynchronizationError, no_sync, put, register
from minigrad.testing.opdb import all_specs
from minigrad.testing.parity import TOLERANCES, fetched, keywords, moved, run

register()

SHAPE = "how many elements there are in the result depends on values"
SYNCS = dict.fromkeys(
    [
        "argwhere",
        "compress",
        "extract",
        "flatnonzero",
        "masked_select",
        "nonzero",
        "unique",
        "unique_all",
        "unique_counts",
        "unique_inverse",
        "unique_values",
    ],
    SHAPE,
) | {
    "getitem": "a boolean mask takes as many elements as it has True",
    "bincount": "as long as the largest entry",
    "histogram": "the range of the bins is the range of the values; CuPy reads it",
    "nn.functional.one_hot": "without num_classes, as wide as the largest entry",
    "repeat": "as long as the sum of the repeats, where they are an array",
    "linalg.matrix_exp": "squares as often as the norm asks for",
}
"""Ops that wait for the device by their nature, with the reason."""

TABLE = "indices or weights made from shapes, or given as lists, are sent to the device"
SENDS = {
    "delete": TABLE,
    "insert": TABLE,
    "nn.functional.adaptive_max_pool1d": TABLE,
    "nn.functional.adaptive_max_pool2d": TABLE,
    "nn.functional.adaptive_max_pool3d": TABLE,
    **{
        f"nn.functional.{name}": "the generator draws on the host"
        for name in ("gaussian_dropout", "gaussian_noise", "gumbel_softmax", "rrelu", "stochastic_pool2d")
    },
    "nn.functional.interpolate": TABLE,
    "nn.functional.pad": TABLE,
    "nanquantile": TABLE,
    "pad": TABLE,
    "percentile": TABLE,
    "quantile": TABLE,
    "take": TABLE,
}
"""Ops that read nothing, but copy something from the host to the device: correct, but not to be captured in a graph yet."""

CPU_ONLY = {"from_numpy": "it is about NumPy arrays"}
"""Ops that do not run on the double, with the reason."""


def placed(inputs):
    """Whether anything among the inputs is on the double, so that the results must be too."""
    return any(placed(x) if isinstance(x, (list, tuple)) else isinstance(x, DoubleArray) for x in inputs)


@pytest.mark.parametrize("spec", [s for s in all_specs() if s.name not in CPU_ONLY], ids=lambda s: s.name)
def test_op_on_the_double(spec):
    f = spec.function()
    samples = [(sample.cast(dtype), dtype) for sample in spec.draw() for dtype in spec.dtypes]
    samples += [(sample, "float64") for sample in (spec.draw(complex=True) if spec.complex else ())]
    for s, dtype in samples:
        order = min(spec.order, 1 if dtype == "float16" else 2)
        want_y, want_g = run(f, s.inputs, s.kwargs, lambda a: a, order)
        inputs, kwargs = moved(s.inputs, put), keywords(s.kwargs, put)
        with contextlib.nullcontext() if spec.name in SYNCS else no_sync(sending=spec.name in SENDS):
            got_y, got_g = run(f, inputs, kwargs, put, order)
        for a, b in zip([*got_y, *got_g], [*want_y, *want_g], strict=True):
            if isinstance(b, np.ndarray) and placed(inputs):
                assert isinstance(a, DoubleArray), f"{spec.name}: {type(a)} came out"
                assert a.dtype == b.dtype, f"{spec.name}: {a.dtype}, NumPy gives {b.dtype}"
        if spec.name != "empty":
            close(fetched(got_y), fetched(want_y), TOLERANCES[dtype], f"{spec.name} {dtype} on the double")
            close(fetched(got_g), fetched(want_g), TOLERANCES[dtype], f"{spec.name} {dtype} gradient on the double")


@pytest.mark.parametrize("name", [*SYNCS, *SENDS])
def test_exceptions_are_needed(name):
    """An op that no longer waits or sends is to be taken off the lists."""
    spec = next(s for s in all_specs() if s.name == name)
    samples = [s.cast("float32") for s in spec.draw()]
    with no_sync(sending=name in SYNCS), pytest.raises((SynchronizationError, MinigradError)):
        _ = [run(spec.function(), moved(s.inputs, put), keywords(s.kwargs, put), put) for s in samples]
