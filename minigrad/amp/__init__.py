"""Automatic mixed precision: products in half precision, sums and logarithms in float32, and gradients kept from vanishing.

    scaler = mg.amp.GradScaler("cuda")
    for x, y in loader:
        optimizer.zero_grad()
        with mg.amp.autocast("cuda"):
            loss = loss_fn(model(x), y)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()

The parameters stay in float32, and so do their gradients and the optimizer's state. ``policy`` says which op computes in what.
"""

from .autocast import autocast, is_autocast_enabled
from .policy import FLOAT32, LOWER
from .scaler import GradScaler

__all__ = ["FLOAT32", "LOWER", "GradScaler", "autocast", "is_autocast_enabled"]
