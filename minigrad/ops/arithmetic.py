"""Elementwise arithmetic: the operators, powers, remainders, extremes of two."""

from ..autograd.conform import add, conj
from ..autograd.op import binary, unary

negative = unary("negative", "-x.", lambda g: -g)
subtract = binary("subtract", "Difference ``a - b``, broadcast.", lambda g: g, lambda g: -g)
multiply = binary("multiply", "Product ``a * b``, broadcast.", lambda g, b: g * b, lambda g, a: g * a)
divide = binary("divide", "Quotient ``a / b``, broadcast; 1/0 is inf.", lambda g, b: g / b, lambda g, y, b: -(g * y / b))

__all__ = ["add", "conj", "divide", "multiply", "negative", "subtract"]
