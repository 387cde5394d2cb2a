"""Numbers that papers and arithmetic give, in pure functions and through the real trainer; as `manage.py selfcheck`."""

from __future__ import annotations

import math

import pytest

from training.algorithms.oracles import table
from training.algorithms.oracles.check import Check, Oracle
from training.algorithms.oracles.table import as_row, carried_out


@pytest.mark.parametrize("oracle", [*table.CLOSED_FORM, *table.TRAINED], ids=lambda oracle: str(oracle.__name__))
def test_an_oracle_agrees(oracle: Oracle) -> None:
    checks = list(oracle())
    assert checks
    assert [check for check in checks if not check.has_passed] == []


@pytest.mark.parametrize(("seen", "has_passed"), [(1.04, True), (0.94, False), (math.nan, False), (math.inf, False)])
def test_a_number_passes_within_its_tolerance_alone(seen: float, has_passed: bool) -> None:
    check = Check(name="x", expected=1.0, seen=seen, tolerance=0.05)
    assert check.has_passed == has_passed
    ((name, *_, passed, _),) = [as_row(timed) for timed in carried_out([lambda: [check]])]
    assert (name, passed) == ("x", "yes" if has_passed else "NO")
