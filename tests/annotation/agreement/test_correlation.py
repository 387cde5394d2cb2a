from __future__ import annotations

import numpy as np
import pytest

from annotation.agreement import Columns, Form, columns_of, intraclass_correlation

# P. Shrout and J. Fleiss (1979), table 2: four judges' ratings of six targets.
SHROUT_FLEISS = np.array([[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]])


def of_matrix(ratings: np.ndarray[tuple[int, int]]) -> Columns:
    """Units in rows, annotators in columns, NaN where there is no rating."""
    units, annotators = np.nonzero(~np.isnan(ratings.astype(float)))
    return columns_of(units, annotators, ratings[units, annotators])


@pytest.mark.parametrize(
    ("form", "published"), [("1,1", 0.17), ("2,1", 0.29), ("3,1", 0.71), ("1,k", 0.44), ("2,k", 0.62), ("3,k", 0.91)]
)
def test_the_six_forms_of_shrout_and_fleiss(form: Form, published: float) -> None:
    result = intraclass_correlation(of_matrix(SHROUT_FLEISS), form=form)
    assert result.value == pytest.approx(published, abs=0.005)
    assert (result.n, result.num_judgments) == (6, 24)


def test_missing_ratings_of_the_one_way_form_by_hand() -> None:
    # Units (1, 3), (5), (6, 8, 7): the lone one does not count. N = 5, mean 5, squares between 2 · 9 + 3 · 4 = 30 with
    # 1 degree, within 2 + 2 = 4 with 3, n0 = 5 - 13 / 5 = 2.4: (30 - 4/3) / (30 + 1.4 · 4/3).
    columns = columns_of([0, 0, 1, 2, 2, 2], [1, 2, 1, 3, 4, 1], [1, 3, 5, 6, 8, 7])
    result = intraclass_correlation(columns)
    assert result.value == pytest.approx((30 - 4 / 3) / (30 + 1.4 * 4 / 3))
    assert (result.n, result.num_judgments) == (2, 5)


@pytest.mark.parametrize("form", ["2,1", "3,k"])
def test_two_way_forms_refuse_missing_ratings(form: Form) -> None:
    ratings = SHROUT_FLEISS.astype(float)
    ratings[2, 1] = np.nan
    result = intraclass_correlation(of_matrix(ratings), form=form)
    assert result.value is None
    assert "every unit by every annotator" in (result.reason or "")
    assert result.n == 6


@pytest.mark.parametrize("form", ["1,1", "1,k", "2,1", "3,1"])
def test_ratings_that_are_all_the_same_have_no_correlation(form: Form) -> None:
    result = intraclass_correlation(of_matrix(np.full((5, 3), 0.1)), form=form)
    assert (result.value, result.interval) == (None, None)
    assert "nothing tells units apart" in (result.reason or "")


def test_without_double_ratings_there_is_no_correlation() -> None:
    assert intraclass_correlation(columns_of([1, 2], [1, 2], [3, 4])).reason == "nothing was judged twice"
    assert intraclass_correlation(columns_of([], [], [])).reason == "nothing was judged twice"


def test_severity_is_disagreement_only_in_absolute_agreement() -> None:
    rng = np.random.default_rng(0)
    ratings = rng.normal(size=(200, 1)) + np.array([0.0, 2.0, 4.0]) + 0.1 * rng.normal(size=(200, 3))
    consistency = intraclass_correlation(of_matrix(ratings), form="3,1").value
    absolute = intraclass_correlation(of_matrix(ratings), form="2,1").value
    assert consistency == pytest.approx(1 / 1.01, abs=0.01)
    assert absolute == pytest.approx(1 / 5.01, abs=0.05)


def test_the_interval_holds_the_true_correlation() -> None:
    rng = np.random.default_rng(4)
    ratings = rng.normal(size=(400, 1)) + rng.normal(size=(400, 4))  # half of the variance lies between units
    low, high = intraclass_correlation(of_matrix(ratings)).interval or (0, 0)
    assert low < 0.5 < high
    assert high - low < 0.15


def test_an_unknown_form_is_refused() -> None:
    with pytest.raises(ValueError, match="form must be one of"):
        intraclass_correlation(of_matrix(SHROUT_FLEISS), form="4,1")  # type: ignore[arg-type]
