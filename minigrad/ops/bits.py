"""Bits and integers, and the distance between neighbouring numbers: functions without a gradient."""

from .logic import constant

bitwise_and = constant(
    "bitwise_and",
    """The bits set in both a and b; integers and booleans, broadcast.

    Example:
        >>> import minigrad as mg
        >>> mg.bitwise_and(mg.tensor([6]), mg.tensor([3]))
        Tensor([2], shape (1,), int64, cpu)
    """,
)
bitwise_or = constant(
    "bitwise_or",
    """The bits set in a or b; integers and booleans, broadcast.

    Example:
        >>> import minigrad as mg
        >>> mg.bitwise_or(mg.tensor([6]), mg.tensor([3]))
        Tensor([7], shape (1,), int64, cpu)
    """,
)
bitwise_xor = constant(
    "bitwise_xor",
    """The bits set in exactly one of a and b; integers and booleans, broadcast.

    Example:
        >>> import minigrad as mg
        >>> mg.bitwise_xor(mg.tensor([6]), mg.tensor([3]))
        Tensor([5], shape (1,), int64, cpu)
    """,
)
bitwise_invert = constant(
    "bitwise_invert",
    """The bits not set in x; integers and booleans.

    Example:
        >>> import minigrad as mg
        >>> mg.bitwise_invert(mg.tensor([0, 5]))
        Tensor([-1, -6], shape (2,), int64, cpu)
    """,
    lambda xp: xp.invert,
    inputs=1,
)
invert = bitwise_not = bitwise_invert
bitwise_left_shift = constant(
    "bitwise_left_shift",
    """a * 2**b on the bits of integers, broadcast.

    Example:
        >>> import minigrad as mg
        >>> mg.bitwise_left_shift(mg.tensor([3]), 2)
        Tensor([12], shape (1,), int64, cpu)
    """,
    lambda xp: xp.left_shift,
)
bitwise_right_shift = constant(
    "bitwise_right_shift",
    """a // 2**b on the bits of integers, broadcast.

    Example:
        >>> import minigrad as mg
        >>> mg.bitwise_right_shift(mg.tensor([13]), 2)
        Tensor([3], shape (1,), int64, cpu)
    """,
    lambda xp: xp.right_shift,
)
left_shift, right_shift = bitwise_left_shift, bitwise_right_shift
gcd = constant(
    "gcd",
    """The greatest common divisor of integers, broadcast; gcd(0, 0) is 0.

    Example:
        >>> import minigrad as mg
        >>> mg.gcd(mg.tensor([12, 0]), mg.tensor([18, 0]))
        Tensor([6, 0], shape (2,), int64, cpu)
    """,
)
lcm = constant(
    "lcm",
    """The least common multiple of integers, broadcast.

    Example:
        >>> import minigrad as mg
        >>> mg.lcm(mg.tensor([4]), mg.tensor([6]))
        Tensor([12], shape (1,), int64, cpu)
    """,
)
nextafter = constant(
    "nextafter",
    """The next number of the dtype after a on the way to b, broadcast.

    Example:
        >>> import minigrad as mg
        >>> mg.nextafter(mg.tensor([1.0]), 2.0) - 1
        Tensor([1.1920929e-07], shape (1,), float32, cpu)
    """,
)
spacing = constant(
    "spacing",
    """The distance from x to the next number of its dtype, away from 0.

    Example:
        >>> import minigrad as mg
        >>> mg.spacing(mg.tensor([1.0, 1024.0]))
        Tensor([1.1920929e-07, 1.2207031e-04], shape (2,), float32, cpu)
    """,
    lambda xp: getattr(xp, "spacing", lambda x: xp.nextafter(x, xp.copysign(float("inf"), x)) - x),  # CuPy has none
    inputs=1,
)

__all__ = [
    "bitwise_and",
    "bitwise_invert",
    "bitwise_left_shift",
    "bitwise_not",
    "bitwise_or",
    "bitwise_right_shift",
    "bitwise_xor",
    "gcd",
    "invert",
    "lcm",
    "left_shift",
    "nextafter",
    "right_shift",
    "spacing",
]
