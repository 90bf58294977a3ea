"""The exceptions of minigrad; each is also the builtin a NumPy user would catch."""


class MinigradError(Exception):
    """Root of every error that minigrad raises on purpose."""


class ShapeError(MinigradError, ValueError):
    """Shapes or axes that do not fit together."""


class DTypeError(MinigradError, TypeError):
    """A dtype or a type that the function cannot take."""


class DeviceError(MinigradError, RuntimeError):
    """Arrays on different devices, or a device that is not there."""


class OutOfMemoryError(MinigradError, MemoryError):
    """Memory that was asked for and is not there, on the CPU or a GPU."""


class GraphError(MinigradError, RuntimeError):
    """A graph that cannot do what was asked: freed, stale, absent, not scalar."""


class CheckpointError(MinigradError, ValueError):
    """A file that is damaged or does not match what it is loaded into."""


class IndexRangeError(MinigradError, IndexError):
    """An index outside its axis."""


class AxisError(ShapeError, IndexRangeError):
    """An axis that is not there; a ValueError and an IndexError, as NumPy's is."""
