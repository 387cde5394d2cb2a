from __future__ import annotations

import json
from typing import Any

import pytest

from annotation.judging import Aspect, Criterion, JudgeSpec, SpecInvalid, Template, make_spec, spec_from_json, why_not
from annotation.question import Question, demonstration, pairwise, ranking, rating

FULL: dict[str, dict[str, Any]] = {
    "pairwise_verdict": {"num_samples": 3, "temperature": 0.7, "conflict": "abstain"},
    "aspects": {"aspects": (Aspect(name="honesty", description="no false claims"), Aspect(name="clarity"))},
    "constitution": {"principles": ("Be kind.", "Be honest."), "principles_per_item": 1, "is_soft": True},
    "checklist": {"criteria": (Criterion(text="right", weight=2), Criterion(text="rude", weight=-1))},
}


@pytest.mark.parametrize("protocol", FULL)
def test_a_judge_survives_storage(protocol: str) -> None:
    spec = make_spec(protocol, **FULL[protocol])
    stored = spec_from_json(json.loads(json.dumps(spec.to_json())))
    assert stored == spec
    assert stored.hash == spec.hash


def test_every_parameter_and_every_word_changes_the_hash() -> None:
    spec = make_spec("pairwise_verdict")
    others = [
        make_spec("pairwise_verdict", conflict="abstain"),
        make_spec("pairwise_verdict", guidelines="Shorter is better."),
        make_spec("pairwise_reasoning", template=spec.template),
    ]
    assert len({spec.hash, *(other.hash for other in others)}) == 4
    assert make_spec("pairwise_verdict", temperature=0).hash == make_spec("pairwise_verdict", temperature=0.0).hash


@pytest.mark.parametrize(
    ("protocol", "parameters", "field"),
    [
        ("vote", {}, "protocol"),
        ("pairwise_verdict", {"orders": "one"}, "orders"),
        ("pairwise_verdict", {"conflict": "first"}, "conflict"),
        ("pairwise_verdict", {"num_samples": 0}, "num_samples"),
        ("pairwise_verdict", {"num_samples": True}, "num_samples"),
        ("pairwise_verdict", {"num_samples": 3}, "temperature"),
        ("pairwise_verdict", {"temperature": float("nan")}, "temperature"),
        ("pairwise_verdict", {"is_soft": True}, "is_soft"),
        ("pairwise_logprobs", {"num_samples": 2, "temperature": 1.0}, "num_samples"),
        ("aspects", {}, "aspects"),
        ("aspects", {"aspects": (Aspect(name="a"), Aspect(name="a"))}, "aspects"),
        ("constitution", {}, "principles"),
        ("constitution", {"principles": ("a",), "principles_per_item": 2}, "principles_per_item"),
        ("constitution", {"principles": (" ",)}, "principles"),
        ("checklist", {"criteria": (Criterion(text="rude", weight=-1),)}, "criteria"),
        ("checklist", {"criteria": (Criterion(text="rude", weight=0),)}, "criteria"),
        ("aspects", {"aspects": (Aspect(name="a"),), "template": make_spec("pairwise_verdict").template}, "template"),
    ],
)
def test_what_makes_no_sense_is_refused_with_its_field(protocol: str, parameters: dict[str, Any], field: str) -> None:
    with pytest.raises(SpecInvalid) as refused:
        make_spec(protocol, **parameters)
    assert refused.value.field == field


@pytest.mark.parametrize(
    "raw",
    [
        {},
        {"protocol": "pairwise_verdict"},
        {"protocol": "pairwise_verdict", "template": "text"},
        {**make_spec("pairwise_verdict").to_json(), "colour": 1},
        {**make_spec("pairwise_verdict").to_json(), "aspects": [{"title": "a"}]},
        {**make_spec("pairwise_verdict").to_json(), "aspects": "a"},
        {**make_spec("pairwise_verdict").to_json(), "principles": [1]},
        {**make_spec("pairwise_verdict").to_json(), "guidelines": None},
    ],
)
def test_a_stored_judge_is_checked(raw: dict[str, Any]) -> None:
    with pytest.raises(SpecInvalid):
        JudgeSpec.from_json(raw)


@pytest.mark.parametrize(
    ("protocol", "question", "reason"),
    [
        ("pairwise_verdict", pairwise(), ""),
        ("pairwise_verdict", ranking(4), "two replies, not 4"),
        ("pairwise_verdict", pairwise(asks_safety=True), "safe"),
        ("pairwise_verdict", pairwise(rationale="required"), "no rationale"),
        ("pairwise_reasoning", pairwise(rationale="required", num_strengths=4), ""),
        ("pairwise_verdict", pairwise(allows_ties=False), "allows no ties"),
        ("single_score", pairwise(allows_ties=False), ""),
        ("single_score", rating(7), ""),
        ("single_score", demonstration(), "writes none"),
        ("listwise", rating(7, 4), "no ratings"),
        ("listwise", ranking(4), ""),
        ("aspects", pairwise(aspects=("honesty",)), ""),
        ("aspects", pairwise(aspects=("humour",)), "nothing about humour"),
        ("checklist", rating(5, 3), ""),
    ],
)
def test_a_judge_says_why_it_cannot_answer(protocol: str, question: Question, reason: str) -> None:
    found = why_not(make_spec(protocol, **({} if protocol == "pairwise_verdict" else FULL.get(protocol, {}))), question)
    assert reason in found
    assert bool(reason) == bool(found)


def test_an_own_template_must_have_the_places_that_its_protocol_fills() -> None:
    template = Template(name="own", version=1, system="", user="{prompt} {replies} {reply_form}")
    with pytest.raises(SpecInvalid, match=r"must have \{code\}"):
        make_spec("pairwise_verdict", template=template)
