"""Module, the base of all layers: what it consists of (registry), its state, its hooks, and calling it."""

from .module import Module
from .state import IncompatibleKeys

__all__ = ["IncompatibleKeys", "Module"]
