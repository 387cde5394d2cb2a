from __future__ import annotations

import numpy as np
import pytest

from annotation.aggregation import aggregate
from tests.annotation.aggregation.judging import FIRST, SECOND, TIE, simulated_pairs, votes_on_pair


def test_left_bias_is_recovered_from_simulated_judgments() -> None:
    rng = np.random.default_rng(0)
    left_biases = 0.6 + rng.normal(0, 0.3, 40)
    judgments, _ = simulated_pairs(skills=np.ones(40), left_biases=left_biases, num_prompts=100, num_each=500, seed=1)
    findings = aggregate("annotator_skill", judgments).findings
    assert findings["is_converged"]
    assert findings["left_bias"] == pytest.approx(left_biases.mean(), abs=4 * findings["left_bias_error"])
    assert findings["left_bias_error"] < 0.15
    found = [findings["annotators"][str(number)]["left_bias"] for number in range(40)]
    assert np.corrcoef(found, left_biases)[0, 1] > 0.85


def test_skills_are_recovered_relative_to_their_mean() -> None:
    skills = np.array([0.0, 0.5, 1.0, 1.5, 2.0] * 8)
    judgments, utilities = simulated_pairs(
        skills=skills, left_biases=np.zeros(40), num_prompts=100, num_each=500, seed=2
    )
    aggregation = aggregate("annotator_skill", judgments)
    annotators = aggregation.findings["annotators"]
    found = np.array([annotators[str(number)]["skill"] for number in range(40)])
    errors = np.array([annotators[str(number)]["skill_error"] for number in range(40)])
    assert found.mean() == pytest.approx(1)
    assert np.corrcoef(found, skills)[0, 1] > 0.95
    assert found[skills == 0] == pytest.approx(0, abs=4 * errors.max())
    truth = {name: utilities[name[0], name[1]] - utilities[name[0], name[2]] for name in aggregation.consensus}
    far = [name for name, gap in truth.items() if abs(gap) > 0.5]
    right = [aggregation.consensus[name].tiers == (FIRST if truth[name] > 0 else SECOND) for name in far]
    assert np.mean(right) > 0.95


def test_somebody_who_answers_the_wrong_way_round_has_a_negative_skill() -> None:
    skills = np.array([-1.0] + [1.0] * 9)
    judgments, _ = simulated_pairs(skills=skills, left_biases=np.zeros(10), num_prompts=40, num_each=400, seed=3)
    annotators = aggregate("annotator_skill", judgments).findings["annotators"]
    assert annotators["0"]["skill"] < -0.3
    assert min(annotators[str(number)]["skill"] for number in range(1, 10)) > 0.5


def test_without_sides_and_with_equal_annotators_it_is_bradley_and_terrys() -> None:
    judgments = votes_on_pair(FIRST, FIRST, FIRST, SECOND, TIE)
    narrow = {"skill_sd": 1e-4, "bias_sd": 1e-4}
    unsided = type(judgments)(**{**vars(judgments), "display_orders": [[]] * 5})
    ours = aggregate("annotator_skill", unsided, narrow).consensus["c"]
    theirs = aggregate("bradley_terry", unsided).consensus["c"]
    assert ours.posterior["utilities"] == pytest.approx(theirs.posterior["utilities"], abs=2e-3)
    assert ours.tiers == theirs.tiers


def test_the_left_bias_says_how_often_the_left_of_two_equal_replies_is_taken() -> None:
    judgments, _ = simulated_pairs(
        skills=np.ones(10), left_biases=np.full(10, 1.0), num_prompts=50, num_each=400, seed=4
    )
    findings = aggregate("annotator_skill", judgments).findings
    assert findings["left_between_equals"] == pytest.approx(1 / (1 + np.exp(-1)), abs=0.04)
