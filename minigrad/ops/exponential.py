"""Exponentials and logarithms, trigonometric and hyperbolic functions."""

from ..autograd.op import unary

exp = unary(
    "exp",
    """e**x.

    Shapes: x any; y the same.
    Gradient: g * y.
    Numerics: overflows to inf above 88.7 in float32, 709.7 in float64.
    Example:
        >>> import minigrad as mg
        >>> mg.exp(mg.tensor([0.0]))
        Tensor([1.], shape (1,), float32, cpu)
    """,
    lambda g, y: g * y,
)

__all__ = ["exp"]
