"""What the tests of a GPU share. They run with ``-m gpu`` where there is one, and are skipped with the reason where there is none.

MINIGRAD_GPU names another device: "cuda:1", or "double", on which the tests themselves are tried without a GPU. MINIGRAD_GPU_SHARD,
``2/8``, lets only the third eighth of the tests run.
"""

import os

import pytest

import minigrad as mg
from minigrad.backend.devices import obstacle
from minigrad.testing.double import register

DEVICE = os.environ.get("MINIGRAD_GPU", "cuda")


def pytest_collection_modifyitems(config, items):
    register()
    why = obstacle(mg.device(DEVICE).index) if DEVICE != "double" else ""
    mine = [item for item in items if "gpu" in item.path.parent.name]
    part, _, parts = os.environ.get("MINIGRAD_GPU_SHARD", "0/1").partition("/")
    for i, item in enumerate(mine):
        item.add_marker(pytest.mark.gpu)
        if why:
            item.add_marker(pytest.mark.skip(reason=f"{DEVICE} is not available: {why}"))
        if i % int(parts) != int(part):
            item.add_marker(pytest.mark.skip(reason="another process has this one"))


@pytest.fixture
def device():
    """The name of the device."""
    return DEVICE


@pytest.fixture
def sent():
    """Puts a NumPy array on the device, as a Tensor."""
    return lambda a, **keywords: mg.tensor(a, **keywords).to(device=DEVICE)
