"""An operation with a gradient of your own, checked to second order: a straight-through rounding and a smooth clamp."""

import minigrad as mg
from minigrad.autograd import Function
from minigrad.testing import gradcheck, gradgradcheck


class SoftClamp(Function):
    """x / sqrt(1 + x^2). It saves its input, so that backward can be differentiated again."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * mg.rsqrt(1 + x * x)

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return g * mg.rsqrt(1 + x * x) ** 3


class Rounded(Function):
    """Round in forward, pass the gradient in backward."""

    @staticmethod
    def forward(ctx, x):
        return mg.round(x)

    @staticmethod
    def backward(ctx, g):
        return g


x = mg.tensor([-2.0, 0.3, 1.7], requires_grad=True, dtype="float64")
assert gradcheck(SoftClamp.apply, x)
assert gradgradcheck(SoftClamp.apply, x)
Rounded.apply(x * 2).sum().backward()
print("first and second order right; straight-through gradient:", x.grad.tolist())
assert x.grad.tolist() == [2.0, 2.0, 2.0]
