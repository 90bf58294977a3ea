"""Hooks: functions that a module calls before and after its forward, and when gradients pass through it on the way back."""

from collections.abc import Callable
from functools import partial
from itertools import count
from typing import Any, NamedTuple

from ...autograd import Function, Tensor
from ...autograd.node import Handle
from ...errors import GraphError

_keys = count()


class Hook(NamedTuple):
    """A registered function: when it is called ("pre", "post", "backward", "backward_pre"), and how."""

    when: str
    f: Callable
    with_kwargs: bool
    always: bool


def add(table: dict[int, Hook], hook: Hook, prepend: bool) -> Handle:
    """Put a hook after those that are there, or before them."""
    key = next(_keys)
    old = dict(table) if prepend else {}
    if prepend:
        table.clear()
    table[key] = hook
    table.update(old)
    return Handle(table, key)


def call(module: Any, compute: Callable, args: tuple, kwargs: dict) -> Any:
    """``compute(*args, **kwargs)``, the forward of ``module``, among the hooks of the module."""
    hooks: dict[str, list[Hook]] = {"pre": [], "post": [], "backward": [], "backward_pre": []}
    for hook in module._hooks.values():
        hooks[hook.when].append(hook)
    unheard = [h for h in hooks["post"] if h.always]
    try:
        for hook in hooks["pre"]:
            args, kwargs = _before(hook, module, args, kwargs)
        way_back = _WayBack(module, hooks["backward_pre"], hooks["backward"]) if hooks["backward"] or hooks["backward_pre"] else None
        if way_back is not None:
            args = way_back.enter(args)
        y = compute(*args, **kwargs)
        for hook in hooks["post"]:
            if hook.always:
                unheard.remove(hook)
            changed = hook.f(module, args, kwargs, y) if hook.with_kwargs else hook.f(module, args, y)
            y = y if changed is None else changed
        return y if way_back is None else way_back.leave(y)
    except BaseException:
        for hook in unheard:  # with no output; the error goes on
            hook.f(module, args, kwargs, None) if hook.with_kwargs else hook.f(module, args, None)
        raise


def _before(hook: Hook, module: Any, args: tuple, kwargs: dict) -> tuple[tuple, dict]:
    """The arguments after a forward pre-hook."""
    changed = hook.f(module, args, kwargs) if hook.with_kwargs else hook.f(module, args)
    if changed is None:
        return args, kwargs
    if not hook.with_kwargs:
        return (changed if isinstance(changed, tuple) else (changed,)), kwargs
    if not (isinstance(changed, tuple) and len(changed) == 2 and isinstance(changed[0], tuple) and isinstance(changed[1], dict)):
        raise GraphError(
            f"{type(module).__name__}: a forward pre-hook with_kwargs must return None or (args, kwargs), a tuple and a dict, "
            f"got {type(changed).__name__}"
        )
    return changed


# -- the way back -----------------------------------------------------------------------------------------------------
class Gate(Function):
    """Lets tensors pass; on the way back, a function sees their gradients, all at once, and says what goes on."""

    @staticmethod
    def forward(ctx: Any, seen: Callable, *tensors: Any) -> Any:
        ctx.seen = seen
        ctx.set_materialize_grads(False)
        return tensors

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        return (None, *ctx.seen(gradients))


class _WayBack:
    """One call of a module with backward hooks: a gate before it and one behind it.

    The hooks run when the gradients of the inputs are there; if no input wants one, when those of the outputs are.
    """

    def __init__(self, module: Any, before: list[Hook], after: list[Hook]):
        self.module, self.before, self.after = module, before, after
        self.inputs = 0
        self.entered = False
        self.grad_output: tuple = ()

    def enter(self, args: tuple) -> tuple:
        self.inputs = len(args)
        args, self.entered = self._gated(args, self._arrived)
        return args

    def leave(self, y: Any) -> Any:
        many = isinstance(y, (tuple, list))
        parts, _ = self._gated(tuple(y) if many else (y,), self._started)
        if not many:
            return parts[0]
        return type(y)(*parts) if hasattr(y, "_fields") else type(y)(parts)

    def _gated(self, values: tuple, seen: Callable) -> tuple[tuple, bool]:
        """The values, those that are part of a graph behind a gate; and whether there are any."""
        places = [i for i, v in enumerate(values) if isinstance(v, Tensor) and v.node is not None]
        if not places:
            return values, False
        passed = iter(Gate.apply(partial(self._spread, seen, places, len(values)), *[values[i] for i in places]))
        return tuple([next(passed) if i in places else v for i, v in enumerate(values)]), True

    @staticmethod
    def _spread(seen: Callable, places: list[int], n: int, gradients: tuple) -> list:
        """Show the gradients in their places among all values, None elsewhere; what comes back, without those."""
        whole: list[Any] = [None] * n
        for i, g in zip(places, gradients, strict=True):
            whole[i] = g
        after = seen(tuple(whole))
        return [after[i] for i in places]

    def _started(self, grad_output: tuple) -> tuple:
        for hook in self.before:
            grad_output = self._replaced("backward pre-hook", grad_output, hook.f(self.module, grad_output))
        self.grad_output = grad_output
        if not self.entered:
            nothing = (None,) * self.inputs
            for hook in self.after:
                if hook.f(self.module, nothing, grad_output) is not None:
                    raise GraphError(
                        f"{type(self.module).__name__}: a backward hook returned gradients, but no input of the module requires grad; "
                        "return None"
                    )
        return grad_output

    def _arrived(self, grad_input: tuple) -> tuple:
        grad_output, self.grad_output = self.grad_output, ()
        for hook in self.after:
            grad_input = self._replaced("backward hook", grad_input, hook.f(self.module, grad_input, grad_output))
        return grad_input

    def _replaced(self, who: str, old: tuple, new: Any) -> tuple:
        if new is None:
            return old
        new = new if isinstance(new, tuple) else (new,)
        if len(new) != len(old):
            raise GraphError(f"{type(self.module).__name__}: a {who} must return None or {len(old)} gradients, got {len(new)}")
        return new


__all__ = ["Hook", "add", "call"]
