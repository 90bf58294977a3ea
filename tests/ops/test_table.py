"""Every op, by its row in the table: values, gradients to second order, dtypes, layouts, sizes, errors."""

import pytest

from minigrad.testing import checks
from minigrad.testing.opdb import all_specs

SPECS = all_specs()
CASES = [
    pytest.param(check, spec, id=f"{spec.name}-{check.__name__}")
    for spec in SPECS
    for check in (*checks.ALWAYS, *(checks.DIFFERENTIABLE if spec.order else ()))
    if check is not checks.second or spec.order > 1
    if check is not checks.bad or spec.errors
]


@pytest.mark.parametrize(("check", "spec"), CASES)
def test_op(check, spec):
    check(spec)
