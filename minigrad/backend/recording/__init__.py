"""What is done to arrays, written down while it is done, so that it can be done again without Python's part in it.

``Recorded`` stands for an array while a ``Tape`` is running: it passes every call on to NumPy, and the tape notes it. An op is one
call, of the kernel that it has for NumPy's arrays, in C or not. ``program`` makes a Python function of the notes, one line for
each. What the notes cannot hold, such as a branch that depends on a value, spoils the tape and disturbs nothing: the computation
goes on with the real numbers.
"""

from .array import Recorded
from .namespace import register
from .program import Program, program
from .tape import Drawn, Tape, as_one, running

__all__ = ["Drawn", "Program", "Recorded", "Tape", "as_one", "program", "register", "running"]
