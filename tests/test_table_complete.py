"""Every public op has a row in the table, and the table says what it promises."""

import pathlib

import minigrad as mg
from minigrad.testing.opdb import all_specs
from minigrad.testing.report import COVERED_ELSEWHERE, public_ops


def test_every_public_op_has_a_row():
    rows = {s.name for s in all_specs()}
    missing = {names[0] for names in public_ops().values() if not rows & set(names) and not set(COVERED_ELSEWHERE) & set(names)}
    assert not missing, f"ops without a row: {sorted(missing)}"


def test_every_row_is_a_public_op():
    assert not sorted({s.name for s in all_specs()} - set(public_ops()))


def test_at_least_160_are_differentiable():
    assert len([s for s in all_specs() if s.order >= 2]) >= 160


def test_exceptions_are_tested_where_they_say():
    root = pathlib.Path(__file__).parents[1]
    for name, where in COVERED_ELSEWHERE.items():
        assert name in public_ops(), name
        assert name.rpartition(".")[2] in (root / where).read_text(), f"{where} does not test {name}"


def test_the_report_lists_order_dtypes_and_worst_error():
    rows = mg.ops.table(only=["exp", "matmul", "floor"])
    assert [r["name"] for r in rows] == ["exp", "floor", "matmul"]
    for row in rows:
        assert row["order"] in (0, 1, 2)
        assert "float32" in row["dtypes"]
        assert 0 <= row["worst_error"] < 1e-5
