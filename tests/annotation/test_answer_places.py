"""Whatever was shown where, the stored answer is the same: tried on some hundred answers of every kind of question."""

from __future__ import annotations

import json
import random
from itertools import permutations
from typing import Any

import pytest

from annotation.answers import Answer, AnswerRefused, parse_answer, to_canonical, to_displayed
from annotation.question import Question, demonstration, pairwise, ranking, rating

EXTRAS: dict[str, Any] = {
    "aspects": ("helpful", "honest"),
    "asks_safety": True,
    "on_unsafe_preference": "flag",
    "flags": ("wrong", "rude"),
    "reasons": ("clearer",),
    "rationale": "optional",
    "asks_spans": True,
}
QUESTIONS = [
    pairwise(num_strengths=4, allows_both_bad=True, asks_edit=True, **EXTRAS),
    ranking(4, asks_edit=True, rating_points=7, **EXTRAS),
    ranking(5, top_k=2, **EXTRAS),
    ranking(5, allows_unranked=True, **EXTRAS),
    rating(2, num_completions=3, asks_edit=True, **EXTRAS),
    rating(10, num_completions=1, **EXTRAS),
    demonstration(num_completions=3, rating_points=5, **EXTRAS),
    demonstration(),
]
RANDOM = [random.Random(seed) for seed in range(100)]


def any_answer(question: Question, rng: random.Random) -> dict[str, Any]:
    """Some answer to the question, in whatever form a page might send it."""
    n = question.num_completions
    points = sorted((rng.randint(1, question.rating_points or 1) for _ in range(n)), reverse=True)
    order = rng.sample(range(n), n)
    answer: dict[str, Any] = {"reasons": rng.choice([[], ["clearer"]]) if question.reasons else []}
    if question.kind in ("pairwise", "ranking"):
        answer |= _any_order(question, order, rng)
    if question.kind == "demonstration":
        answer["demonstration"] = "Four."
    if question.rating_points:
        answer["ratings"] = [points[order.index(index)] for index in range(n)]
    if question.aspects:
        answer |= _any_remarks(question, rng)
    if question.asks_edit and "tiers" in answer and not answer.get("both_bad"):
        answer["edited"] = {"completion": answer["tiers"][0][0], "text": "Four!"}
    return answer


def _any_order(question: Question, order: list[int], rng: random.Random) -> dict[str, Any]:
    num_ranked = question.top_k or (3 if question.allows_unranked else len(order))
    tiers: list[list[int]] = []
    for index in order[:num_ranked]:
        if tiers and rng.random() < 0.3:
            tiers[-1].append(index)
        else:
            tiers.append([index])
    answer: dict[str, Any] = {"tiers": tiers}
    if question.num_strengths > 1 and len(tiers) > 1:
        answer["strength"] = rng.randint(1, question.num_strengths)
    if question.allows_both_bad and len(tiers) == 1:
        answer["both_bad"] = rng.random() < 0.5
    if question.allows_unranked:
        answer["unranked"] = order[num_ranked:]
    return answer


def _any_remarks(question: Question, rng: random.Random) -> dict[str, Any]:
    n = question.num_completions
    return {
        "aspects": {name: [rng.randint(1, question.aspect_points) for _ in range(n)] for name in question.aspects},
        "safety": [rng.choice(["safe", "unsafe"]) for _ in range(n)],
        "flags": [rng.sample(question.flags, rng.randint(0, 2)) for _ in range(n)],
        "rationale": rng.choice(["", " Because. "]),
        "spans": [
            {"completion": index, "start": start, "end": start + rng.randint(1, 9), "label": "good"}
            for index in range(n)
            for start in rng.sample(range(50), rng.randint(0, 3))
        ],
    }


def parse(raw: dict[str, Any], question: Question) -> Answer:
    return parse_answer(raw, question=question, num_completions=question.num_completions)


def some_order(question: Question, rng: random.Random) -> list[int]:
    return rng.sample(range(question.num_completions), question.num_completions)


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: f"{question.kind}-{question.num_completions}")
def test_there_and_back_again_is_the_same_answer(question: Question) -> None:
    for rng in RANDOM:
        answer = parse(any_answer(question, rng), question)
        order = some_order(question, rng)
        assert to_displayed(to_canonical(answer, order), order) == answer
        assert to_canonical(to_displayed(answer, order), order) == answer


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: f"{question.kind}-{question.num_completions}")
def test_an_answer_means_the_same_wherever_the_replies_are_shown(question: Question) -> None:
    """What is said through two pages with different orders is stored as one and the same answer."""
    for rng in RANDOM:
        stored = parse(any_answer(question, rng), question)
        for order in (some_order(question, rng), some_order(question, rng)):
            sent = json.loads(json.dumps(to_displayed(stored, order).to_json()))
            assert to_canonical(parse(sent, question), order) == stored


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: f"{question.kind}-{question.num_completions}")
def test_what_is_stored_is_read_back_as_itself(question: Question) -> None:
    for rng in RANDOM:
        answer = parse(any_answer(question, rng), question)
        assert parse(json.loads(json.dumps(answer.to_json())), question) == answer


def test_everything_that_speaks_of_replies_moves() -> None:
    question = pairwise(asks_edit=True, rating_points=7, **EXTRAS)
    shown = {
        "tiers": [[1], [0]],
        "ratings": [2, 6],
        "aspects": {"helpful": [1, 5], "honest": [4, 3]},
        "safety": ["unsafe", "safe"],
        "flags": [["rude"], []],
        "spans": [
            {"completion": 0, "start": 0, "end": 4, "label": "bad"},
            {"completion": 1, "start": 2, "end": 3, "label": "good"},
        ],
        "edited": {"completion": 1, "text": "Four!"},
    }
    assert to_canonical(parse(shown, question), [1, 0]).to_json() == {
        "tiers": [[0], [1]],
        "ratings": [6, 2],
        "aspects": {"helpful": [5, 1], "honest": [3, 4]},
        "safety": ["safe", "unsafe"],
        "flags": [[], ["rude"]],
        "spans": [
            {"completion": 0, "start": 2, "end": 3, "label": "good"},
            {"completion": 1, "start": 0, "end": 4, "label": "bad"},
        ],
        "edited": {"completion": 0, "text": "Four!"},
    }


def test_a_permutation_that_is_not_its_own_inverse_goes_the_right_way() -> None:
    answer = parse({"ratings": [5, 3, 1]}, rating(5, num_completions=3))
    assert to_canonical(answer, [2, 0, 1]).ratings == [3, 1, 5]  # the first place showed completion 2
    assert to_displayed(answer, [2, 0, 1]).ratings == [1, 5, 3]


@pytest.mark.parametrize(
    "answer",
    [
        Answer(tiers=None, cant_judge=True, flags=[["rude"], []]),
        Answer(tiers=[[0], [1]]),
        Answer(tiers=[[1]], unranked=[0]),
    ],
)
def test_an_answer_about_two_replies_does_not_fit_three_places(answer: Answer) -> None:
    for order in permutations(range(3)):
        with pytest.raises(AnswerRefused, match="3 places for 2 completions") as refused:
            to_canonical(answer, order)
        assert refused.value.rule == "display_order"
