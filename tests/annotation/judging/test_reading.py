from __future__ import annotations

import json
import random
from typing import Any

import pytest

from annotation.judging import (
    Aspect,
    Criterion,
    JudgeCall,
    Outcome,
    ReplyToken,
    TextReply,
    Verdict,
    is_cacheable,
    make_spec,
    plan,
    read,
)
from annotation.question import Question, pairwise, ranking, rating
from tests.annotation.judging.items import item_of

THREE = ranking(3)
SPECS: dict[str, tuple[dict[str, Any], Question]] = {
    "pairwise_verdict": ({}, pairwise()),
    "pairwise_reasoning": ({}, pairwise()),
    "pairwise_logprobs": ({}, pairwise()),
    "single_score": ({}, pairwise()),
    "listwise": ({}, THREE),
    "aspects": ({"aspects": (Aspect(name="helpfulness"),)}, pairwise()),
    "constitution": ({"principles": ("Be kind.",)}, pairwise()),
    "checklist": ({"criteria": (Criterion(text="It is right."), Criterion(text="It is short."))}, pairwise()),
}


def call_of(protocol: str, question: Question | None = None) -> JudgeCall:
    parameters, asked = SPECS[protocol]
    asked = question or asked
    spec = make_spec(protocol, conflict="abstain", **parameters)
    return plan(spec, item_of(asked.num_completions, asked), 0)[0]


def read_text(protocol: str, text: str, question: Question | None = None) -> Outcome:
    return read(call_of(protocol, question), TextReply(text=text))


A, B, TIE = [[0], [1]], [[1], [0]], [[0, 1]]

VERDICTS = [
    ("A", A),
    ("B.", B),
    ("[[A]]", A),
    ("**B**", B),
    ("Tie", TIE),
    ("[[C]]", TIE),
    ("Reply A", A),
    ("The response B", B),
    ('"A"', A),
    ('["A"]', A),
    ("[A]", A),
    ('{"verdict": "A"}', A),
    ('{"Verdict": "Reply B"}', B),
    ('{"verdict": "tie", "confidence": 0.2}', TIE),
    ('```json\n{"verdict": "A"}\n```', A),
    ('Here you are:\n```json\n{"verdict": "B"}\n```\nAnything else?', B),
    ('{"reasoning": "It says [[B]] and \\"verdict\\": \\"B\\", but is wrong.", "verdict": "A"}', A),
    ('I think {so}: {"verdict": "A"}', A),
    ("Reply A is wrong about the sum. [[B]]", B),
    ("[[A]] because it is right. So once more: [[A]]", A),
    ("Both are fine.\nFinal verdict: A", A),
    ("**Verdict:** B", B),
    ("Verdict: [[B]]", B),
    ("My final verdict is: Reply A.", A),
    ("The better reply is B, as it is right.", B),
    ("Winner: A (clearer)", A),
    ("<think>The first, so [[A]]? No.</think>B", B),
    ("[[A]] seems likely</think>\n\nB", B),
    ('<thinking>[[A]]</thinking>\n```json\n{"verdict": "B"}\n```', B),
    ("<|channel|>analysis<|message|>[[A]]<|end|><|channel|>final<|message|>B", B),
    ("\x00\x1b\ufeff[[\u200bA]]\x07\r\n", A),
    ("\ud800 [[A]] \udfff", A),
    ("I'm sorry that this took long. [[A]]", A),
]

NO_VERDICTS = [
    ("", "unparsed"),
    (" \n\t", "unparsed"),
    ("\x00\u200b", "unparsed"),
    ("[[A]] and [[B]]", "unparsed"),
    ("[[A]]\n[[C]]", "unparsed"),
    ("[[D]]", "unparsed"),
    ("[[A]] or so; to be sure: [[maybe]]", "unparsed"),
    ("A or B", "unparsed"),
    ("Verdict: A or B", "unparsed"),
    ("Verdict: A\nVerdict: B", "unparsed"),
    ('{"verdict": "A"} {"verdict": "B"}', "unparsed"),
    ('{"verdict": "A", "verdict": "B"}', "unparsed"),
    ('{"verdict": "A"}\nHm, [[B]]', "unparsed"),
    ('{"verdict": ["A", "B"]}', "unparsed"),
    ('{"verdict": null}', "unparsed"),
    ('{"verdict": true}', "unparsed"),
    ('{"verdict": "A"', "unparsed"),
    ('{\n  "verdict": "A",\n  "strength": ', "unparsed"),
    ('{"reasoning": "only this"}', "unparsed"),
    ("null", "unparsed"),
    ("Rating: high", "unparsed"),
    ("Both have their merits, and a better comparison would need more context.", "unparsed"),
    ("The winner is a matter of taste.", "unparsed"),
    ("Answer: A better question would be what is asked.", "unparsed"),
    ("<think>[[A]]", "unparsed"),
    ("<think>[[A]]</think>", "unparsed"),
    ("{" * 5_000, "unparsed"),
    ('{"a":' * 5_000, "unparsed"),
    ("[[" * 5_000, "unparsed"),
    ("Verdict" + ":" * 50_000, "unparsed"),  # these three take ages if a pattern backtracks
    ("A " * 5_000 + "x", "unparsed"),
    ("```\n" + " " * 50_000 + "x", "unparsed"),
    ("I'm sorry, but I can't assist with that.", "refused"),
    ("I’m sorry, I cannot compare these.", "refused"),
    ("Sorry, this content is not something I can judge.", "refused"),
    ("As an AI language model, I do not have preferences.", "refused"),
    ("Unfortunately, I am unable to evaluate harmful content.", "refused"),
    ("<think>Is it allowed?</think>I must decline to judge this.", "refused"),
    ("**I can't help with that.**", "refused"),
]


@pytest.mark.parametrize("protocol", ["pairwise_verdict", "pairwise_reasoning", "constitution"])
@pytest.mark.parametrize(("text", "tiers"), VERDICTS)
def test_a_verdict_is_found_whatever_stands_around_it(protocol: str, text: str, tiers: list[list[int]]) -> None:
    outcome = read_text(protocol, text)
    assert isinstance(outcome, Verdict), outcome
    assert outcome.tiers == tiers


@pytest.mark.parametrize("protocol", ["pairwise_verdict", "pairwise_reasoning", "constitution"])
@pytest.mark.parametrize(("text", "kind"), NO_VERDICTS)
def test_what_is_no_single_verdict_is_a_class_of_its_own_and_no_tie(protocol: str, text: str, kind: str) -> None:
    outcome = read_text(protocol, text)
    assert outcome.kind == kind, outcome
    assert not is_cacheable(outcome)


@pytest.mark.parametrize("protocol", SPECS)
@pytest.mark.parametrize(("text", "kind"), NO_VERDICTS)
def test_no_protocol_reads_a_verdict_into_them(protocol: str, text: str, kind: str) -> None:
    assert not isinstance(read_text(protocol, text), Verdict)


@pytest.mark.parametrize("protocol", SPECS)
@pytest.mark.parametrize("text", ["", "<think>hm", '{"verdict": ', "Reply A is", "[[A"])
def test_a_reply_that_was_cut_off_is_truncated(protocol: str, text: str) -> None:
    outcome = read(call_of(protocol), TextReply(text=text, finish_reason="length"))
    assert outcome.kind == "truncated"


def test_a_verdict_in_the_middle_of_a_cut_off_reply_is_not_trusted() -> None:
    reply = TextReply(text="At first sight [[A]], but on a second", finish_reason="length")
    assert read(call_of("pairwise_verdict"), reply).kind == "truncated"


def test_a_letter_that_fills_its_limit_is_complete() -> None:
    assert isinstance(read(call_of("pairwise_verdict"), TextReply(text="A", finish_reason="length")), Verdict)


@pytest.mark.parametrize("protocol", SPECS)
def test_a_reply_that_the_provider_kept_back_is_refused(protocol: str) -> None:
    assert read(call_of(protocol), TextReply(text="", finish_reason="content_filter")).kind == "refused"


def test_a_tie_that_the_question_does_not_allow_is_no_verdict() -> None:
    assert read_text("pairwise_verdict", "C", pairwise(allows_ties=False)).kind == "unparsed"


def test_the_letters_mean_the_replies_in_the_order_in_which_they_were_shown() -> None:
    shown = [call.display_order for call in plan(make_spec("pairwise_verdict"), item_of(), 0)]
    outcomes = [read(call, TextReply(text="A")) for call in plan(make_spec("pairwise_verdict"), item_of(), 0)]
    assert shown == [(0, 1), (1, 0)]
    assert [outcome.tiers for outcome in outcomes if isinstance(outcome, Verdict)] == [A, B]


@pytest.mark.parametrize(
    ("text", "strength"),
    [('{"verdict": "A", "strength": 3}', 3), ('{"verdict": "C"}', None), ('{"verdict": "C", "strength": 1}', None)],
)
def test_a_strength_goes_with_a_preference(text: str, strength: int | None) -> None:
    outcome = read_text("pairwise_verdict", text, pairwise(num_strengths=4))
    assert isinstance(outcome, Verdict)
    assert outcome.strength == strength


@pytest.mark.parametrize(
    "text", ["A", '{"verdict": "A"}', '{"verdict": "A", "strength": 5}', '{"verdict": "A", "strength": true}']
)
def test_a_preference_without_a_possible_strength_is_unparsed(text: str) -> None:
    assert read_text("pairwise_verdict", text, pairwise(num_strengths=4)).kind == "unparsed"


@pytest.mark.parametrize(
    ("text", "points"),
    [
        ("7", 7),
        ("7/10", 7),
        ("[[7]]", 7),
        ("Good but long. Rating: [[8.5]]", 8.5),
        ("It is right. [9]", 9),
        ("Score: 3", 3),
        ("**Score:** 3/10", 3),
        ("Overall rating: 4 out of 10.", 4),
        ('{"reasoning": "[[1]]", "score": 10}', 10),
        ('{"score": "6"}', 6),
        ('{"rating": 6.0}', 6),
        ("<think>Rating: 2</think>Rating: 5", 5),
        ("The score is 7.", 7),
    ],
)
def test_points_are_found(text: str, points: float) -> None:
    outcome = read_text("single_score", text)
    assert isinstance(outcome, Verdict), outcome
    assert outcome.points == {0: points}


@pytest.mark.parametrize(
    "text",
    [
        "Rating: high",
        "0",
        "11",
        "[[12]]",
        "Score: -3",
        "Score: 7-8",
        "Rating: 7 or 8",
        "Rating: 70%",
        "Score: 8/100",
        "[[7]] or [[8]]",
        '{"score": true}',
        '{"score": NaN}',
        '{"score": 1e999}',
        '{"score": [7]}',
        '{"score": null}',
        "There are 3 errors in 10 lines.",
        "See [1](http://a) for more.",
    ],
)
def test_what_is_no_number_of_points_is_unparsed(text: str) -> None:
    assert read_text("single_score", text).kind == "unparsed"


@pytest.mark.parametrize(
    ("text", "places"),
    [
        ('{"ranking": [["B"], ["A", "C"]]}', [[1], [0, 2]]),
        ('{"ranking": ["C", "B", "A"]}', [[2], [1], [0]]),
        ('{"ranking": "B > A = C"}', [[1], [0, 2]]),
        ("B > C > A", [[1], [2], [0]]),
        ("[B] > [C] > [A]", [[1], [2], [0]]),
        ("[[B > C = A]]", [[1], [0, 2]]),
        ("C, A, B", [[2], [0], [1]]),
        ("Reply B is best.\nRanking: Reply B > Reply A > Reply C", [[1], [0], [2]]),
        ('```json\n{"ranking": [["A", "B", "C"]]}\n```', [[0, 1, 2]]),
    ],
)
def test_rankings_are_found(text: str, places: list[list[int]]) -> None:
    call = call_of("listwise")
    outcome = read(call, TextReply(text=text))
    assert isinstance(outcome, Verdict), outcome
    assert outcome.tiers == [sorted(call.display_order[place] for place in tier) for tier in places]


@pytest.mark.parametrize(
    "text",
    [
        "A > B",
        "A > B > C > D",
        "A > B > B",
        '{"ranking": ["A", "B"]}',
        '{"ranking": [["A"], [], ["B", "C"]]}',
        '{"ranking": [["A"], ["B"], ["A", "C"]]}',
        '{"ranking": [1, 0, 2]}',
        '{"ranking": {"A": 1, "B": 2, "C": 3}}',
        "[[A > B > C]] [[C > B > A]]",
    ],
)
def test_a_ranking_that_does_not_name_each_reply_once_is_unparsed(text: str) -> None:
    assert read_text("listwise", text).kind == "unparsed"


def test_ties_in_a_ranking_are_read_only_where_they_are_allowed() -> None:
    assert read_text("listwise", "A > B = C", ranking(3, allows_ties=False)).kind == "unparsed"


@pytest.mark.parametrize(
    "text",
    [
        '{"reasoning": "…", "ratings": {"A": 4, "B": 2}}',
        '{"ratings": {"Reply A": "4", "b": 2.0}}',
        '{"A": 4, "B": 2}',
        '{"ratings": {"A": {"rating": 4, "rationale": "good"}, "B": {"rating": 2}}}',
        '{"ratings": [4, 2]}',
        "A: 4\nB: 2",
        "**Reply A:** 4/5\n**Reply B:** 2/5",
    ],
)
def test_points_by_reply_are_found(text: str) -> None:
    outcome = read_text("aspects", text)
    assert isinstance(outcome, Verdict), outcome
    assert outcome.points == {0: 4, 1: 2}


@pytest.mark.parametrize(
    "text", ['{"ratings": {"A": 4}}', '{"ratings": {"A": 4, "B": 6}}', "A: 4", "A: 4\nA: 5\nB: 1", "A: good\nB: bad"]
)
def test_points_that_are_missing_or_impossible_are_unparsed(text: str) -> None:
    assert read_text("aspects", text).kind == "unparsed"


@pytest.mark.parametrize(
    "text",
    [
        '{"answers": {"1": "yes", "2": "no"}}',
        '{"1": true, "2": false}',
        '{"answers": [{"criterion": 2, "met": false}, {"criterion": 1, "met": true}]}',
        '{"answers": ["yes", "no"]}',
        "1. Yes\n2. No, it is long",
        "1: yes\n2: no",
    ],
)
def test_checks_are_found(text: str) -> None:
    outcome = read_text("checklist", text)
    assert isinstance(outcome, Verdict), outcome
    assert (outcome.checks, outcome.points) == ((True, False), {0: 0.5})


@pytest.mark.parametrize(
    "text", ['{"answers": {"1": "yes"}}', '{"answers": {"1": "yes", "2": "partly"}}', "1. yes", "1. yes\n2. yes and no"]
)
def test_checks_that_are_missing_or_neither_yes_nor_no_are_unparsed(text: str) -> None:
    assert read_text("checklist", text).kind == "unparsed"


def test_probabilities_of_spellings_of_one_letter_are_added() -> None:
    top = {"A": -1.0, " A": -2.0, "▁B": -1.5, "the": -3.0, "C": -4.0}
    reply = TextReply(text="A", logprobs=(ReplyToken(token="A", logprob=-1.0, top=top),))
    outcome = read(call_of("pairwise_logprobs"), reply)
    assert isinstance(outcome, Verdict)
    assert outcome.probabilities is not None
    # e^-1 + e^-2 = 0.50321, e^-1.5 = 0.22313, e^-4 = 0.01832; together 0.74466
    assert outcome.probabilities.first == pytest.approx(0.50321 / 0.74466, abs=1e-4)
    assert outcome.probabilities.second == pytest.approx(0.22313 / 0.74466, abs=1e-4)
    assert outcome.probabilities.tie == pytest.approx(0.01832 / 0.74466, abs=1e-4)


@pytest.mark.parametrize(
    "tokens",
    [
        (),
        (ReplyToken(token="The", logprob=-0.1),),
        (ReplyToken(token=" ", logprob=-0.1),),
        (ReplyToken(token="A", logprob=-3.0),),  # the labels have 5 % of the mass
        (ReplyToken(token="A", logprob=float("nan")),),
        (ReplyToken(token="A", logprob=0.7),),
    ],
)
def test_a_reply_without_usable_probabilities_is_unparsed(tokens: tuple[ReplyToken, ...]) -> None:
    assert read(call_of("pairwise_logprobs"), TextReply(text="A", logprobs=tokens)).kind == "unparsed"


def test_the_letter_behind_reasoning_and_brackets_is_the_one_that_counts() -> None:
    tokens = [ReplyToken(token=token, logprob=-0.01) for token in ("A", "hm", "</think>", "\n\n", "[[", "B", "]]")]
    outcome = read(call_of("pairwise_logprobs"), TextReply(text="…", logprobs=tuple(tokens)))
    assert isinstance(outcome, Verdict)
    assert outcome.tiers == B


@pytest.mark.parametrize("protocol", SPECS)
def test_a_stored_call_reads_a_stored_reply_as_the_first_time(protocol: str) -> None:
    call = call_of(protocol, rating(7, 2) if protocol == "single_score" else None)
    stored = JudgeCall.from_json(json.loads(json.dumps(call.to_json())))
    assert stored.key == call.key
    for text in ("A", "7", "A > B > C", '{"ratings": {"A": 1, "B": 2}}', '{"1": "yes", "2": "no"}', "hm"):
        reply = TextReply(text=text, logprobs=(ReplyToken(token=text[:1], logprob=-0.1),))
        assert read(stored, reply) == read(call, reply)


def test_reasons_are_kept_without_hidden_characters() -> None:
    outcome = read_text("pairwise_reasoning", '{"reasoning": "A \\u202eis\\u0000 right.", "verdict": "A"}')
    assert isinstance(outcome, Verdict)
    assert outcome.rationale == "A is right."


FRAGMENTS = [
    *("[[", "]]", "A", "B", "tie", "{", "}", '"verdict"', '"score"', '"ratings"', '"answers"', '"ranking"', ":", '"'),
    *("\ud800", "Verdict: ", "Rating: ", "7", "/10", "\n", "<think>", "</think>", "```json\n", "```", " > ", "=", ","),
    *("1. yes", "no", "null", "NaN", "true", "[", "]", "-", "Reply ", "I'm sorry", " ", "７", "\x00", "²", "e999"),
]


@pytest.mark.parametrize("protocol", SPECS)
def test_whatever_a_reply_is_made_of_it_is_read_without_an_error(protocol: str) -> None:
    drawn, call = random.Random(0), call_of(protocol)
    for _ in range(300):
        text = "".join(drawn.choices(FRAGMENTS, k=drawn.randint(1, 30)))
        outcome = read(call, TextReply(text=text, finish_reason=drawn.choice(["stop", "length"])))
        assert json.dumps(outcome.to_json() if isinstance(outcome, Verdict) else outcome.reason)
