"""One record per op: examples, a reference, and what is promised of it. The table that all op tests run over."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

FLOATS = ("float16", "float32", "float64")


@dataclass
class Sample:
    """One call: ``inputs`` are arrays (float64: differentiable) or other positional arguments, ``kwargs`` the rest.

    Example:
        >>> import numpy as np
        >>> from minigrad.testing import Sample
        >>> Sample((np.zeros(2), 3)).cast("float32").inputs[0].dtype
        dtype('float32')
    """

    inputs: tuple
    kwargs: dict[str, Any] = field(default_factory=dict)

    def cast(self, dtype: Any) -> "Sample":
        """The same call with its float64 arrays in another dtype."""
        d = np.dtype(dtype)
        return Sample(tuple([x.astype(d) if isinstance(x, np.ndarray) and x.dtype == np.float64 else x for x in self.inputs]), self.kwargs)


@dataclass
class Call:
    """How a sample is to be drawn: a tuple of lengths stands for a random array of that shape, anything else for itself."""

    inputs: tuple
    kwargs: dict[str, Any]


def S(*inputs: Any, **kwargs: Any) -> Call:
    """A sample: ``S((2, 3), (3,), axis=1)`` calls the op with two random arrays and ``axis=1``.

    Example:
        >>> from minigrad.testing import S
        >>> S((2, 3), (3,), axis=1).kwargs
        {'axis': 1}
    """
    return Call(inputs, kwargs)


@dataclass
class OpSpec:
    """What is promised of one op.

    Args:
        name: the public name, ``"exp"`` or ``"linalg.inv"``.
        reference: the same function on NumPy arrays, by other means (NumPy, SciPy-free formula, loop).
        samples: calls made with ``S``.
        domain: ``(low, high)`` from which random inputs are drawn, or one pair per input; None: standard normal.
        prepare: what makes a random array a valid input (``a @ a.T`` for a positive definite one); given (array, position).
        op: the function, where it is not ``mg.<name>``.
        order: how often it can be differentiated (2 is tested, and stands for any); 0: it has no gradient.
        elementwise: broadcasting, size 0 and no dimensions are tested with samples made from the first.
        empty: what arrays of size 0 give: "works", "raises" or "skip" (no such input exists).
        dtypes: the floating dtypes in which it works and which it keeps.
        dtype: what the output's dtype is, where it is not the inputs': a function of the input dtype.
        complex: gradients are tested with complex inputs too.
        half: the tolerance in float16, relative to the largest output.
        single: the tolerance in float32.
        kinks: what the gradient is at kinks, ties and other conventions, in words.
        creates: it gives Tensors whatever goes in (``zeros``, ``asarray``).
        errors: bad calls: (arguments, keywords, exception, words of the message).
        note: anything a reader should know.

    Example:
        >>> import numpy as np
        >>> from minigrad.testing import OpSpec, S
        >>> spec = OpSpec("add", np.add, [S((2, 3), (3,))])
        >>> [x.shape for x in spec.draw()[0].inputs]
        [(2, 3), (3,)]
    """

    name: str
    reference: Callable
    samples: list[Call]
    domain: Any = None
    prepare: Callable | None = None
    op: Callable | None = None
    order: int = 2
    elementwise: bool = False
    empty: str = "works"
    dtypes: tuple[str, ...] = FLOATS
    dtype: Callable | None = None
    complex: bool = False
    half: float = 5e-3
    single: float = 2e-5
    kinks: str = ""
    creates: bool = False
    errors: list[tuple] = field(default_factory=list)
    note: str = ""

    def function(self) -> Callable:
        """The op itself."""
        if self.op is not None:
            return self.op
        import minigrad

        f: Any = minigrad
        for part in self.name.split("."):
            f = getattr(f, part)
        return f

    def draw(self, seed: int = 0, complex: bool = False) -> list[Sample]:
        """The samples, with arrays for shapes: the same for the same seed."""
        rng = np.random.default_rng([seed, *self.name.encode()])
        calls = list(self.samples)
        if self.elementwise:
            n = sum(isinstance(x, tuple) for x in calls[0].inputs)
            for shapes in [((),) * n, ((2, 1, 3), (4, 1), (1,))[:n], ((4, 3), (2, 4, 1), (3,))[:n]]:
                calls.append(Call(self._filled(calls[0].inputs, shapes), calls[0].kwargs))
        return [self._drawn(call, rng, complex) for call in calls]

    @staticmethod
    def _filled(inputs: tuple, shapes: tuple) -> tuple:
        left = iter(shapes)
        return tuple([next(left) if isinstance(x, tuple) else x for x in inputs])

    def _drawn(self, call: Call, rng: np.random.Generator, complex: bool) -> Sample:
        inputs = []
        for i, x in enumerate(call.inputs):
            if isinstance(x, tuple) and all(isinstance(n, int) for n in x):
                domain: Any = self.domain
                if isinstance(domain, list):
                    domain = domain[i]
                x = rng.normal(size=x) if domain is None else rng.uniform(domain[0], domain[1], size=x)
                x = np.asarray(x)
                if complex:
                    x = np.asarray(x + 1j * rng.normal(size=x.shape))
                if self.prepare is not None:
                    x = self.prepare(x, i)
            inputs.append(x)
        return Sample(tuple(inputs), call.kwargs)
