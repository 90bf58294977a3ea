"""The matrix products of a step, and nothing else, as minigrad makes them: what is left when all the rest costs nothing.

Convolutions count as the products of their patches with the filters, without making the patches. Winograd's convolution has fewer
multiplications, so a step may come below this.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

import minigrad as mg


@dataclass(frozen=True)
class Product:
    """``y = x w^T`` with x (rows, before) and w (after, before), n of them at once, and its gradients for x and for w.

    ``parts`` says which of the three are taken, ``times`` how often a step does so.
    """

    rows: int
    before: int
    after: int
    n: int = 1
    times: int = 1
    parts: str = "yxw"

    def multiply_adds(self, part: str) -> int:
        return self.rows * self.before * self.after * self.n * self.times * (part in self.parts)

    def calls(self) -> list[Callable[[], object]]:
        """What a step calls, on arrays that are there already."""
        shapes = ((self.rows, self.before), (self.after, self.before), (self.rows, self.after))
        x, w, y = (np.ones(shape if self.n == 1 else (self.n, *shape), "float32") for shape in shapes)
        pairs = {"y": (x, w.mT), "x": (y, w), "w": (y.mT, x)}
        return [partial(mg.matmul, a, b) for part, (a, b) in pairs.items() if part in self.parts] * self.times


P = Product
FIRST = "yw"
"""Data need no gradient."""

PRODUCTS = {
    "tiny_mlp": [P(32, 2, 16, parts=FIRST), P(32, 16, 16), P(32, 16, 2)],
    "mlp": [P(128, 784, 256, parts=FIRST), P(128, 256, 128), P(128, 128, 10)],
    "dropout_mlp": [P(100, 784, 2048, parts=FIRST), P(100, 2048, 2048, times=2), P(100, 2048, 10)],
    "bn_mlp": [P(128, 784, 512, parts=FIRST), P(128, 512, 512, times=2), P(128, 512, 10)],
    "convnet": [P(100 * 24**2, 25, 30, parts=FIRST), P(100, 4320, 100), P(100, 100, 10)],
    "resnet8": [
        P(32 * 32**2, 27, 16, parts=FIRST),
        P(32 * 32**2, 144, 16, times=2),
        *(P(32 * 16**2, k, 32) for k in (144, 288, 16)),
        *(P(32 * 8**2, k, 64) for k in (288, 576, 32)),
        P(32, 64, 10),
    ],
    "char_lstm": [P(32 * 64, 128, 512), P(32, 128, 512, times=64, parts="yx"), P(32 * 64, 128, 512, parts="w"), P(32 * 64, 128, 65)],
    "char_gpt": [
        *(P(12 * 64, k, o, times=4) for k, o in ((128, 384), (128, 128), (128, 512), (512, 128))),
        P(64, 32, 64, n=48, times=4),
        P(64, 64, 32, n=48, times=4),
        P(12 * 64, 128, 65),
    ],
    "dcgan": [
        P(64, 64, 64 * 7**2, parts=FIRST),
        P(64 * 7**2, 64, 32 * 4**2),
        P(64 * 14**2, 32, 4**2),
        P(64 * 14**2, 4**2, 32, times=2, parts=FIRST),
        P(64 * 14**2, 4**2, 32),
        P(64 * 7**2, 32 * 4**2, 64, times=3),
        P(64, 64 * 7**2, 1, times=3),
    ],
}


def products(name: str) -> Callable[[], None] | None:
    """All matrix products of a workload's step, or None if it has none."""
    calls = [call for product in PRODUCTS.get(name, []) for call in product.calls()]

    def step() -> None:
        for call in calls:
            call()

    return step if calls else None
