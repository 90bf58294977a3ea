"""The list of ops with what is promised and measured of each."""

from collections.abc import Iterable
from typing import Any


def table(only: Iterable[str] | None = None) -> list[dict[str, Any]]:
    """See ``minigrad.testing.report.table``: the op table, generated from the specifications that the tests run.

    Example:
        >>> import minigrad as mg
        >>> mg.ops.table(only=["exp"])[0]["order"]
        2
    """
    from ..testing.report import table as measured  # the table belongs to testing; this is its public door

    return measured(only)


__all__ = ["table"]
