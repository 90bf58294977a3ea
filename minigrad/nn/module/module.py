"""Module: a function with parameters. Assign Parameters, Buffers and Modules as attributes and they are found again."""

from collections.abc import Callable
from fnmatch import fnmatchcase
from typing import Any

import numpy as np

from ...autograd.node import Handle
from ...backend import Device, is_inexact
from ...errors import DTypeError, MinigradError
from ..parameter import clear_grad, move
from . import hooks
from .hooks import Hook
from .state import Stateful


class Module(Stateful):
    """The base of all layers and models. Subclass it, assign parts in ``__init__``, compute in ``forward``, and call the object.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> class Scale(nn.Module):
        ...     def __init__(self):
        ...         super().__init__()
        ...         self.factor = nn.Parameter(2.0)
        ...     def forward(self, x):
        ...         return x * self.factor
        >>> Scale()(mg.tensor([1.0, 2.0])).tolist()
        [2.0, 4.0]
    """

    training: bool = True
    _hooks: dict[int, Hook]

    def __init__(self) -> None:
        super().__init__()
        self.__dict__.update(_hooks={}, training=True)

    # -- calling ------------------------------------------------------------------------------------------------------
    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """What the module computes; subclasses define it, calls go through ``module(...)``."""
        raise NotImplementedError(f"{type(self).__name__}: define forward(self, ...)")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        try:
            if self._hooks:
                return hooks.call(self, self.forward, args, kwargs)
            return self.forward(*args, **kwargs)
        except MinigradError as error:
            error.add_note(f"in {type(self).__name__}({self.extra_repr()})")
            raise

    def register_forward_pre_hook(self, hook: Callable, *, prepend: bool = False, with_kwargs: bool = False) -> Handle:
        """Call ``hook(module, args)`` before each forward; what it returns (if not None) replaces the positional arguments.

        Args:
            hook: the function.
            prepend: call it before the hooks that are there already.
            with_kwargs: call ``hook(module, args, kwargs)``, which may return ``(args, kwargs)``.
        """
        return self._hook("pre", hook, prepend, with_kwargs)

    def register_forward_hook(
        self, hook: Callable, *, prepend: bool = False, with_kwargs: bool = False, always_call: bool = False
    ) -> Handle:
        """Call ``hook(module, args, output)`` after each forward; what it returns (if not None) replaces the output.

        Args:
            hook: the function.
            prepend: call it before the hooks that are there already.
            with_kwargs: call ``hook(module, args, kwargs, output)``.
            always_call: call it, with None as output, also when the forward raises; the error goes on.

        Example:
            >>> import minigrad as mg
            >>> from minigrad import nn
            >>> layer = nn.ReLU()
            >>> handle = layer.register_forward_hook(lambda module, args, y: print("out", y.tolist()))
            >>> _ = layer(mg.tensor([-1.0, 2.0]))
            out [0.0, 2.0]
            >>> handle.remove()
        """
        return self._hook("post", hook, prepend, with_kwargs, always_call)

    def register_full_backward_hook(self, hook: Callable, prepend: bool = False) -> Handle:
        """Call ``hook(module, grad_input, grad_output)`` when backward has passed through the module.

        Both are tuples, one entry for each positional argument of ``forward`` and each output; None for what has no gradient. What the
        hook returns (if not None) replaces ``grad_input``. If no input requires grad, it is called when ``grad_output`` is there, and
        must return None.

        Args:
            hook: the function.
            prepend: call it before the hooks that are there already.

        Raises:
            GraphError: in backward, if the hook returns another number of gradients.

        Example:
            >>> import minigrad as mg
            >>> from minigrad import nn
            >>> layer = nn.ReLU()
            >>> _ = layer.register_full_backward_hook(lambda module, gi, go: print(gi[0].tolist(), go[0].tolist()))
            >>> layer(mg.tensor([-1.0, 2.0], requires_grad=True)).sum().backward()
            [0.0, 1.0] [1.0, 1.0]
        """
        return self._hook("backward", hook, prepend)

    def register_full_backward_pre_hook(self, hook: Callable, prepend: bool = False) -> Handle:
        """Call ``hook(module, grad_output)`` before backward passes through the module; what it returns replaces ``grad_output``.

        Args: as ``register_full_backward_hook``.
        """
        return self._hook("backward_pre", hook, prepend)

    def _hook(self, when: str, hook: Callable, prepend: bool = False, with_kwargs: bool = False, always: bool = False) -> Handle:
        if not callable(hook):
            raise DTypeError(f"{type(self).__name__}: a hook must be a function, got {type(hook).__name__}")
        return hooks.add(self._hooks, Hook(when, hook, with_kwargs, always), prepend)

    # -- changing -----------------------------------------------------------------------------------------------------
    def apply(self, f: Callable[["Module"], Any]) -> "Module":
        """Call ``f`` with every module inside, children first, and with this one. Returns itself."""
        for child in self.children():
            child.apply(f)
        f(self)
        return self

    def train(self, mode: bool = True) -> "Module":
        """Set training mode, which dropout and normalisation look at, for all modules inside. Returns itself."""
        if not isinstance(mode, bool):
            raise ValueError(f"train: expected True or False, got {mode!r}")
        for m in self.modules():
            m.training = mode
        return self

    def eval(self) -> "Module":
        """``train(False)``."""
        return self.train(False)

    def requires_grad_(self, requires_grad: bool = True) -> "Module":
        """Let every parameter collect a gradient, or (False) none. Returns itself."""
        for p in self.parameters():
            p.requires_grad_(requires_grad)
        return self

    def freeze(self, *patterns: str) -> "Module":
        """Make parameters constants: all of them, or those whose dotted names match one of the patterns. Returns itself.

        Backward does not reach them any more, and optimizers leave them as they are, as they have no gradient.

        Args:
            patterns: names with ``*`` for anything, as ``encoder.*``.

        Raises:
            ValueError: a pattern that matches nothing; then nothing is changed.

        Example:
            >>> from minigrad import nn
            >>> net = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1)).freeze("0.*")
            >>> [name for name, p in net.named_parameters() if p.requires_grad]
            ['1.weight', '1.bias']
        """
        return self._wanting(False, "freeze", patterns)

    def unfreeze(self, *patterns: str) -> "Module":
        """Let parameters collect gradients again. Args: as ``freeze``."""
        return self._wanting(True, "unfreeze", patterns)

    def _wanting(self, wanted: bool, who: str, patterns: tuple[str, ...]) -> "Module":
        named = list(self.named_parameters(remove_duplicate=False))
        for pattern in patterns:
            if not any(fnmatchcase(name, pattern) for name, _ in named):
                raise ValueError(f"{who}: no parameter matches {pattern!r}; there are {[name for name, _ in named]}")
        for name, p in named:
            if not patterns or any(fnmatchcase(name, pattern) for pattern in patterns):
                p.requires_grad_(wanted)
        return self

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Drop the gradients of all parameters, or fill them with zeros."""
        for p in self.parameters():
            clear_grad(p, set_to_none)

    def to(self, *where: Any, device: Any = None, dtype: Any = None) -> "Module":
        """Move all parameters and buffers to a device, and cast the floating ones to a dtype. Returns itself.

        The tensors stay the same objects, so an optimizer made before still updates them.
        """
        for w in where:
            if isinstance(w, Device) or (isinstance(w, str) and w.startswith(("cpu", "cuda"))):
                device = w
            else:
                dtype = w
        dtype = None if dtype is None else np.dtype(dtype)
        if dtype is not None and not is_inexact(dtype):
            raise DTypeError(f"to: modules can be cast to floating dtypes, got {dtype}")
        for _, t in [*self.named_parameters(), *self.named_buffers()]:
            move(t, device, dtype)
        return self

    def cpu(self) -> "Module":
        """``to(device="cpu")``."""
        return self.to(device="cpu")

    def cuda(self, index: int = 0) -> "Module":
        """``to(device="cuda:index")``."""
        return self.to(device=f"cuda:{index}")

    def half(self) -> "Module":
        """``to(dtype="float16")``."""
        return self.to(dtype="float16")

    def float(self) -> "Module":
        """``to(dtype="float32")``."""
        return self.to(dtype="float32")

    def double(self) -> "Module":
        """``to(dtype="float64")``."""
        return self.to(dtype="float64")

    # -- showing ------------------------------------------------------------------------------------------------------
    def extra_repr(self) -> str:
        """The arguments, as they appear between the brackets of the repr."""
        return ""

    def summary(self, *inputs: Any, depth: int | None = None) -> Any:
        """A table of the layers: output shapes, parameters, multiply-adds, memory. Args: as ``nn.summary``.

        Example:
            >>> from minigrad import nn
            >>> nn.Sequential(nn.Linear(4, 8), nn.ReLU()).summary((1, 4)).multiply_adds
            32
        """
        from ..summary import summary  # here, as it knows all layers

        return summary(self, *inputs, depth=depth)

    def __repr__(self) -> str:
        extra, lines = self.extra_repr(), []
        for name, child in self._own("_modules"):
            lines.append(f"  ({name}): " + repr(child).replace("\n", "\n  "))
        if not lines:
            return f"{type(self).__name__}({extra})"
        return "\n".join([f"{type(self).__name__}({extra}", *lines, ")"])


__all__ = ["Module"]
