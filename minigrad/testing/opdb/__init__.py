"""The table of op specifications: one row per op, one file per family."""

import importlib
import pkgutil

from ..spec import OpSpec


def all_specs() -> list[OpSpec]:
    """Every row, by name."""
    rows: dict[str, OpSpec] = {}
    for module in pkgutil.iter_modules(__path__):
        for spec in importlib.import_module(f"{__name__}.{module.name}").SPECS:
            if spec.name in rows:
                raise ValueError(f"opdb: two rows for {spec.name}")
            rows[spec.name] = spec
    return [rows[name] for name in sorted(rows)]
