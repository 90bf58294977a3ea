"""Ten training steps, each written as a user of the library would: ``ours.py``, and one file for each peer.

A peer's file has a function for every workload that the peer can express. It takes the weights to start from, NumPy arrays by the names
that minigrad's ``state_dict`` gives them, and returns a Training.
"""

import importlib
import importlib.util
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

NAMES = {
    "chain": "41 ops on 8x8",
    "tiny_mlp": "MLP 2-16-16-2, batch 32, SGD",
    "mlp": "MLP 784-256-128-10, batch 128, Adam",
    "dropout_mlp": "dropout MLP 784-2048x3-10, batch 100, SGD with momentum",
    "bn_mlp": "batch norm MLP 784-512x3-10, batch 128, Adam",
    "convnet": "conv net 1x28x28, 30 filters 5x5, batch 100, Adam",
    "resnet8": "ResNet-8 3x32x32, batch 32, SGD with momentum",
    "char_lstm": "char LSTM 128, batch 32x64, Adam",
    "char_gpt": "char GPT 4 layers of 128, batch 12x64, AdamW",
    "dcgan": "DCGAN 1x28x28, batch 64, Adam",
}
LARGE = {
    "resnet18": "ResNet-18 3x32x32, batch 128, SGD with momentum",
    "gpt": "GPT 12 layers of 768, batch 8x512 of 8192 words, AdamW, bfloat16",
}
"""Two more, which are for GPUs alone."""
PEERS = {"torch": "PyTorch", "jax": "JAX jit", "tinygrad": "tinygrad", "mygrad": "MyGrad", "autograd": "autograd"}
CHARACTERS, CONTEXT = 65, 64
WORDS, LENGTH = 8192, 512
DEVICE = os.environ.get("BENCHMARK_DEVICE", "cpu")
"""Where minigrad's and PyTorch's steps run."""


@dataclass
class Training:
    """A training step that can be repeated, and what it changes.

    ``step()`` clears the gradients, goes forward and backward, updates the parameters, and returns the loss. ``model`` is a module or a
    dict of tensors; peers that are measured by the clock alone leave it out.
    """

    step: Callable[[], Any]
    model: Any = None
    optimizers: list[Any] = field(default_factory=list)

    def parameters(self) -> dict[str, Any]:
        return self.model if isinstance(self.model, dict) else dict(self.model.named_parameters())

    def state(self) -> dict[str, Any]:
        return self.model if isinstance(self.model, dict) else self.model.state_dict()


def batch(name: str) -> tuple[np.ndarray, ...]:
    """The numbers that a workload is given in every step; for all peers the same."""
    rng = np.random.default_rng(0)

    def normal(*shape: int) -> np.ndarray:
        return rng.normal(size=shape).astype("float32")

    def whole(below: int, *shape: int) -> np.ndarray:
        return rng.integers(below, size=shape)

    if name == "chain":
        return normal(8, 8), normal(8, 8)
    if name == "tiny_mlp":
        return normal(32, 2), whole(2, 32)
    if name in ("mlp", "bn_mlp"):
        return normal(128, 784), whole(10, 128)
    if name == "dropout_mlp":
        return normal(100, 784), whole(10, 100)
    if name == "convnet":
        return normal(100, 1, 28, 28), whole(10, 100)
    if name == "resnet8":
        return normal(32, 3, 32, 32), whole(10, 32)
    if name == "resnet18":
        return normal(128, 3, 32, 32), whole(10, 128)
    if name == "gpt":
        return whole(WORDS, 8, LENGTH), whole(WORDS, 8, LENGTH)
    if name == "char_lstm":
        return whole(CHARACTERS, 32, CONTEXT), whole(CHARACTERS, 32, CONTEXT)
    if name == "char_gpt":
        return whole(CHARACTERS, 12, CONTEXT), whole(CHARACTERS, 12, CONTEXT)
    return normal(64, 1, 28, 28), normal(64, 64, 1, 1)


def installed(peer: str) -> bool:
    return importlib.util.find_spec(peer) is not None


def workloads(peer: str) -> dict[str, Callable[..., Training]]:
    """The workloads that ``peer`` (or ``ours``) can express, by name."""
    module = importlib.import_module(f"{__name__}.{peer}")
    return {name: getattr(module, name) for name in (*NAMES, *LARGE) if hasattr(module, name)}
