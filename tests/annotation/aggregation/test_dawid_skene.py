from __future__ import annotations

import numpy as np
import pytest

from annotation.aggregation import aggregate
from annotation.aggregation.dawid_skene import RIGHT_TO_WRONG, fit_dawid_skene
from tests.annotation.aggregation.judging import FIRST, SECOND, TIE, judgments_of, simulated_pairs


def simulated(seed: int, confusions_AKK: np.ndarray, *, num_units: int) -> tuple[np.ndarray, ...]:
    """Everybody answers about every unit: true values, and columns of units, annotators and answers."""
    rng = np.random.default_rng(seed)
    num_annotators, num_values, _ = confusions_AKK.shape
    truth = rng.integers(num_values, size=num_units)
    units, annotators = np.divmod(np.arange(num_units * num_annotators), num_annotators)
    edges = confusions_AKK[annotators, truth[units]].cumsum(axis=1)
    return truth, units, annotators, (rng.random((len(units), 1)) > edges).sum(axis=1)


def test_confusion_matrices_are_recovered_from_simulated_annotators() -> None:
    good = np.array([[0.9, 0.05, 0.05], [0.1, 0.8, 0.1], [0.05, 0.05, 0.9]])
    biased = np.array([[0.7, 0.1, 0.2], [0.5, 0.3, 0.2], [0.4, 0.1, 0.5]])
    confusions = np.stack([good, good, good, biased, biased])
    truth, units, annotators, values = simulated(0, confusions, num_units=4000)
    fit = fit_dawid_skene(units, annotators, values, num_units=4000, num_annotators=5, num_values=3)
    assert fit.is_converged
    assert fit.confusions_AKK == pytest.approx(confusions, abs=0.04)
    assert np.mean(fit.probabilities_UK.argmax(axis=1) == truth) > 0.95


def test_one_round_by_hand() -> None:
    # Two annotators, one unit, both say 0: the shares of votes are (1, 0), hence π = (1, 0) and each θ[0, 0] =
    # (4s + 1) / (5s + 1). Without a prior on π the unit is 0 for certain.
    fit = fit_dawid_skene(
        np.array([0, 0]), np.array([0, 1]), np.array([0, 0]), num_units=1, num_annotators=2, num_values=2, smoothing=0.1
    )
    expected = (0.1 * RIGHT_TO_WRONG + 1) / (0.1 * (RIGHT_TO_WRONG + 1) + 1)
    assert fit.confusions_AKK[:, 0, 0] == pytest.approx([expected] * 2)
    assert fit.probabilities_UK[0] == pytest.approx([1, 0], abs=1e-6)


def test_the_same_as_plain_expectation_maximisation() -> None:
    rng = np.random.default_rng(3)
    units, annotators, values = rng.integers(30, size=200), rng.integers(4, size=200), rng.integers(3, size=200)
    fit = fit_dawid_skene(
        units, annotators, values, num_units=30, num_annotators=4, num_values=3, max_rounds=7, tolerance=0.0
    )
    posterior = np.zeros((30, 3))
    for unit, value in zip(units, values, strict=True):
        posterior[unit, value] += 1
    posterior /= np.maximum(posterior.sum(axis=1, keepdims=True), 1)
    for _ in range(7):
        prior = posterior[np.isin(np.arange(30), units)].sum(axis=0)
        prior /= prior.sum()
        confusions = np.full((4, 3, 3), 0.5) + 1.5 * np.eye(3)
        for unit, annotator, value in zip(units, annotators, values, strict=True):
            confusions[annotator, :, value] += posterior[unit]
        confusions /= confusions.sum(axis=2, keepdims=True)
        posterior = np.tile(prior, (30, 1))
        for unit, annotator, value in zip(units, annotators, values, strict=True):
            posterior[unit] *= confusions[annotator, :, value]
        posterior /= posterior.sum(axis=1, keepdims=True)
    assert fit.num_rounds == 7
    assert fit.probabilities_UK == pytest.approx(posterior, abs=1e-7)


def test_a_mirrored_answer_counts_as_the_mirrored_value() -> None:
    rng = np.random.default_rng(4)
    truth, units, annotators, values = simulated(5, np.stack([np.eye(3) * 0.7 + 0.1] * 3), num_units=200)
    is_swapped = rng.random(len(units)) < 0.5
    fit = fit_dawid_skene(
        units, annotators, values, num_units=200, num_annotators=3, num_values=3, is_swapped_J=is_swapped
    )
    assert np.mean(fit.probabilities_UK.argmax(axis=1) == truth) > 0.85
    assert fit.prior_K[0] == pytest.approx(fit.prior_K[2])


def test_a_preference_for_the_left_shows_in_the_confusion_matrix() -> None:
    left_biases = np.array([2.0] + [0.0] * 9)
    judgments, _ = simulated_pairs(skills=np.ones(10), left_biases=left_biases, num_prompts=20, num_each=400, seed=6)
    annotators = aggregate("dawid_skene", judgments).findings["annotators"]
    left_when_right_is_better = [annotators[str(number)]["confusion"][2][0] for number in range(10)]
    assert np.argmax(left_when_right_is_better) == 0


def test_a_reliable_annotator_outweighs_two_careless_ones() -> None:
    rng = np.random.default_rng(7)
    rows, completions = [], {f"c{number}": ["x", "y"] for number in range(300)}
    for name in completions:
        truth = FIRST if rng.random() < 0.5 else SECOND
        answers = {"expert": truth, "second expert": truth}
        careless = {f"careless {number}": FIRST if rng.random() < 0.5 else SECOND for number in range(2)}
        rows += [(name, annotator, tiers) for annotator, tiers in {**answers, **careless}.items()]
    completions["contested"] = ["x", "y"]
    rows += [("contested", "expert", FIRST), ("contested", "careless 0", SECOND), ("contested", "careless 1", SECOND)]
    judgments = judgments_of(rows, completions)
    assert aggregate("dawid_skene", judgments).consensus["contested"].tiers == FIRST
    assert aggregate("majority", judgments).consensus["contested"].tiers == SECOND


def test_unanimous_ties_are_a_tie() -> None:
    rows = [(f"c{number}", name, TIE) for number in range(5) for name in ("ann", "ben", "cat")]
    one = aggregate("dawid_skene", judgments_of(rows, {f"c{number}": ["x", "y"] for number in range(5)}))
    assert one.consensus["c0"].tiers == TIE
