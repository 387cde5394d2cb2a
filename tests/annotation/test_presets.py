from __future__ import annotations

import json
import re
from typing import Any

import pytest

from annotation import presets
from annotation.answers import AnswerRefused, parse_answer
from annotation.presets import PRESETS
from annotation.question import Question

FOUR = [[3], [0, 2], [1]]
ANSWERS: dict[str, dict[str, Any]] = {
    "instructgpt_ranking": {"tiers": FOUR, "ratings": [5, 1, 5, 7], "flags": [[], ["Hallucination"], [], []]},
    "llama2_pairwise_safety": {"tiers": [[1], [0]], "strength": 4, "safety": ["unsafe", "safe"]},
    "anthropic_hh": {"tiers": [[1], [0]]},
    "helpsteer_aspects": {
        "ratings": [1, 2, 3, 5],
        "aspects": {name: [1, 5, 3, 4] for name in ("correctness", "coherence", "complexity", "verbosity")},
    },
    "arena_vote": {"tiers": [[0, 1]], "both_bad": True},
    "kto_thumbs": {"ratings": [2]},
    "sft_demonstration": {"demonstration": "Two and two are four."},
}


def question_of(name: str) -> Question:
    return PRESETS[name][1]()


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_is_a_complete_question_that_survives_json(name: str) -> None:
    question = question_of(name)
    assert Question.from_json(json.loads(json.dumps(question.to_json()))) == question


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_takes_the_answer_that_its_source_describes(name: str) -> None:
    question = question_of(name)
    answer = parse_answer(ANSWERS[name], question=question, num_completions=question.num_completions)
    stored = answer.to_json()
    assert {field: stored[field] for field in ANSWERS[name]} == ANSWERS[name]


@pytest.mark.parametrize(
    ("name", "rule", "answer"),
    [
        ("instructgpt_ranking", "rating_missing", {"tiers": FOUR}),
        ("llama2_pairwise_safety", "tie_not_allowed", {"tiers": [[0, 1]], "safety": ["safe", "safe"]}),
        (
            "llama2_pairwise_safety",
            "unsafe_preference",
            {"tiers": [[0], [1]], "strength": 1, "safety": ["unsafe", "safe"]},
        ),
        ("llama2_pairwise_safety", "cant_judge_not_allowed", {"cant_judge": True}),
        ("anthropic_hh", "tie_not_allowed", {"tiers": [[0, 1]]}),
        ("helpsteer_aspects", "aspect_missing", {"ratings": [1, 2, 3, 4]}),
        ("arena_vote", "cant_judge_not_allowed", {"cant_judge": True}),
        ("kto_thumbs", "rating_out_of_range", {"ratings": [3]}),
        ("sft_demonstration", "demonstration_missing", {}),
    ],
)
def test_a_preset_refuses_what_its_source_does_not_know(name: str, rule: str, answer: dict[str, Any]) -> None:
    question = question_of(name)
    with pytest.raises(AnswerRefused) as refused:
        parse_answer(answer, question=question, num_completions=question.num_completions)
    assert refused.value.rule == rule


@pytest.mark.parametrize("num_completions", range(4, 10))
def test_instructgpt_ranks_four_to_nine(num_completions: int) -> None:
    assert presets.instructgpt_ranking(num_completions).num_completions == num_completions


def test_an_arena_vote_is_one_press() -> None:
    assert question_of("arena_vote").is_one_press


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_has_a_title_and_names_its_paper(name: str) -> None:
    title, make = PRESETS[name]
    assert title
    assert re.search(r"arXiv:\d{4}\.\d{5}", make.__doc__ or "")
