from __future__ import annotations

import json
from typing import Any

import pytest

from annotation.answers import parse_answer
from annotation.judging import (
    Aspect,
    Criterion,
    Judged,
    TextReply,
    Unparsed,
    Verdict,
    ask,
    combine,
    combine_panel,
    judge_item,
    make_spec,
    plan,
    read,
)
from annotation.question import pairwise, ranking, rating
from tests.annotation.judging.items import item_of, judged_by, letter_of, tokens_of

FIRST, SECOND, TIE = [[0], [1]], [[1], [0]], [[0, 1]]


def answer_of(judged: Judged) -> dict[str, Any]:
    assert judged.answer is not None, judged.reason
    return judged.answer


def test_two_orders_that_agree_are_an_answer() -> None:
    judged = judged_by(make_spec("pairwise_verdict"), item_of(), lambda call: letter_of(call, 1))
    assert answer_of(judged) == {"tiers": SECOND}
    assert (judged.flipped, judged.margin, judged.preference) == (False, 1.0, 0.0)
    assert [each.display_order for each in judged.by_order] == [(0, 1), (1, 0)]


@pytest.mark.parametrize(
    ("conflict", "answer", "tiers"),
    [
        ("tie", {"tiers": TIE}, TIE),
        ("mean", {"tiers": TIE}, TIE),
        ("abstain", {"cant_judge": True}, None),
        ("keep_both", None, None),
    ],
)
def test_a_judge_that_follows_the_place_is_settled_by_the_conflict_policy(
    conflict: str, answer: dict[str, Any] | None, tiers: list[list[int]] | None
) -> None:
    judged = judged_by(make_spec("pairwise_verdict", conflict=conflict), item_of(), lambda call: "A")
    assert (judged.answer, judged.tiers) == (answer, tiers)
    assert (judged.flipped, judged.num_disagreeing, judged.num_reversed) == (True, 1, 1)
    assert (judged.margin, judged.preference) == (0.0, 0.5)
    assert [each.answer for each in judged.by_order] == [{"tiers": FIRST}, {"tiers": SECOND}]


def test_abstaining_where_nobody_may_is_no_answer_with_its_reason() -> None:
    spec = make_spec("pairwise_verdict", conflict="abstain")
    judged = judged_by(spec, item_of(question=pairwise(allows_cant_judge=False)), lambda call: "A")
    assert (judged.answer, judged.reason) == (None, "the two orders disagree")


def test_a_tie_against_a_preference_disagrees_but_reverses_nothing() -> None:
    judged = judged_by(make_spec("pairwise_verdict"), item_of(), lambda call: "C" if call.round else "A")
    assert (judged.num_disagreeing, judged.num_reversed, judged.tiers) == (1, 0, TIE)


@pytest.mark.parametrize("text", ["", "[[A]] [[B]]", "I'm sorry, but I can't help with that."])
def test_a_reply_that_is_no_verdict_is_never_a_tie(text: str) -> None:
    judged = judged_by(make_spec("pairwise_verdict"), item_of(), lambda call: text if call.round else "A")
    assert (judged.answer, judged.tiers, judged.flipped) == (None, None, None)
    assert judged.num_unparsed + judged.num_refused == 1
    assert "too few of 2 calls" in judged.reason


def test_a_call_that_was_never_made_is_missed() -> None:
    spec, item = make_spec("pairwise_verdict"), item_of()
    call = plan(spec, item, 0)[0]
    judged = combine(spec, item, [(call, read(call, TextReply(text="A")))])
    assert judged.answer is None
    assert "never made" in judged.reason


def test_the_verdict_of_a_retry_counts_and_its_failure_is_counted() -> None:
    said = iter(["hm", "A", "[[A]] [[B]]", "", "B"])
    judged = judge_item(make_spec("pairwise_verdict"), item_of(), source=lambda call: TextReply(text=next(said)))
    assert (judged.tiers, judged.num_calls, judged.num_unparsed) == (FIRST, 5, 3)


def test_retries_end() -> None:
    call = plan(make_spec("pairwise_verdict"), item_of(), 0)[0]
    outcomes = ask(call, source=lambda call: TextReply(text=""), num_retries=2)
    assert [isinstance(outcome, Unparsed) for _, outcome in outcomes] == [True, True, True]
    assert [made.attempt for made, _ in outcomes] == [0, 1, 2]


def test_samples_vote_within_each_order() -> None:
    spec = make_spec("pairwise_verdict", num_samples=3, temperature=1.0)
    judged = judged_by(spec, item_of(), lambda call: letter_of(call, 0 if call.sample else 1))
    assert judged.tiers == FIRST
    assert judged.preference == pytest.approx(2 / 3)
    assert judged.margin == pytest.approx(1 / 3)


def test_votes_that_are_level_are_a_tie() -> None:
    spec = make_spec("pairwise_verdict", num_samples=2, temperature=1.0)
    assert judged_by(spec, item_of(), lambda call: letter_of(call, call.sample)).tiers == TIE


@pytest.mark.parametrize(("num_read", "has_answer"), [(3, True), (2, False)])
def test_more_than_half_of_the_samples_must_be_verdicts(num_read: int, has_answer: bool) -> None:
    spec = make_spec("pairwise_verdict", num_samples=4, temperature=1.0)
    judged = judged_by(spec, item_of(), lambda call: letter_of(call, 0) if call.sample < num_read else "?")
    assert (judged.answer is not None) == has_answer


def test_both_orders_of_a_soft_label_are_averaged() -> None:
    spec, item = make_spec("pairwise_logprobs", conflict="mean"), item_of()
    calls = plan(spec, item, 0)
    replies = [tokens_of(A=0.8, B=0.1, C=0.1), tokens_of(A=0.5, B=0.3, C=0.2)]
    judged = combine(spec, item, [(call, read(call, reply)) for call, reply in zip(calls, replies, strict=True)])
    assert judged.probabilities is not None
    # completion 0 is A in the first order and B in the second
    assert judged.probabilities.first == pytest.approx((0.8 + 0.3) / 2)
    assert judged.probabilities.second == pytest.approx((0.1 + 0.5) / 2)
    assert judged.preference == pytest.approx(0.55 + 0.15 / 2)
    assert (judged.tiers, judged.flipped) == (FIRST, True)


def test_strengths_are_averaged() -> None:
    def say(call: Any) -> str:
        return json.dumps({"verdict": letter_of(call, 0), "strength": 4 if call.round else 1})

    judged = judged_by(make_spec("pairwise_verdict"), item_of(question=pairwise(num_strengths=4)), say)
    assert answer_of(judged) == {"tiers": FIRST, "strength": 3}  # 2.5 goes up


def test_the_reasons_are_those_of_a_verdict_that_counts() -> None:
    def say(call: Any) -> str:
        return json.dumps({"reasoning": f"order {call.round}", "verdict": "C" if call.round else "A"})

    judged = judged_by(make_spec("pairwise_reasoning"), item_of(question=pairwise(rationale="required")), say)
    assert answer_of(judged) == {"tiers": TIE, "rationale": "order 1"}


def test_points_become_an_order_and_ratings() -> None:
    points = {0: 4, 1: 10, 2: 4}
    judged = judged_by(
        make_spec("single_score"), item_of(3, rating(7, 3)), lambda call: str(points[call.display_order[0]])
    )
    assert answer_of(judged) == {"tiers": [[1], [0, 2]], "ratings": [3, 7, 3]}  # 4 of 1–10 is a third of the way
    assert judged.scores == (4, 10, 4)
    assert (judged.flipped, judged.margin) == (None, 0)


def test_a_margin_of_points_ties() -> None:
    points = {0: 7, 1: 8}
    spec = make_spec("single_score", tie_margin=1.0)
    assert judged_by(spec, item_of(), lambda call: str(points[call.display_order[0]])).tiers == TIE


def test_one_reply_by_itself_gets_points() -> None:
    judged = judged_by(make_spec("single_score"), item_of(1, rating(5)), lambda call: "10")
    assert answer_of(judged) == {"tiers": [[0]], "ratings": [5]}


def test_a_tie_where_the_question_allows_none_is_explained() -> None:
    judged = judged_by(make_spec("single_score"), item_of(question=pairwise(allows_ties=False)), lambda call: "5")
    assert judged.answer is None
    assert "without ties" in judged.reason


def test_a_list_is_level_where_its_orders_disagree() -> None:
    def say(call: Any) -> str:  # 0 and 1 by place, 2 before 3 always
        first, second = sorted((0, 1), key=call.display_order.index)
        return " > ".join(letter_of(call, index) for index in (first, second, 2, 3))

    judged = judged_by(make_spec("listwise"), item_of(4, ranking(4)), say)
    assert judged.tiers == [[0, 1], [2], [3]]
    assert (judged.num_pairs, judged.num_disagreeing, judged.num_reversed, judged.margin) == (6, 1, 1, 0.0)


def test_a_list_in_the_order_of_its_places_says_nothing() -> None:
    judged = judged_by(make_spec("listwise"), item_of(4, ranking(4)), lambda call: "A > B > C > D")
    assert judged.tiers == [[0, 1, 2, 3]]
    assert judged.num_reversed == 6


def test_the_best_of_a_list_are_cut_off_for_a_top_k() -> None:
    question = ranking(4, top_k=2)
    judged = judged_by(
        make_spec("listwise"), item_of(4, question), lambda call: " > ".join(letter_of(call, i) for i in (2, 0, 1, 3))
    )
    assert answer_of(judged)["tiers"] == [[2], [0]]
    level = judged_by(
        make_spec("listwise"), item_of(4, question), lambda call: json.dumps({"ranking": [["A", "B", "C", "D"]]})
    )
    assert level.answer is None
    assert "top_k" in level.reason or "best 2" in level.reason


def test_aspects_are_kept_and_their_mean_decides() -> None:
    spec = make_spec("aspects", aspects=(Aspect(name="honesty"), Aspect(name="clarity")))
    points = {(0, 0): 5, (0, 1): 4, (1, 0): 2, (1, 1): 4}  # (aspect, completion)

    def say(call: Any) -> str:
        return json.dumps({"ratings": {letter_of(call, index): points[call.part, index] for index in (0, 1)}})

    judged = judged_by(spec, item_of(question=pairwise(aspects=("clarity", "honesty"))), say)
    assert answer_of(judged) == {"tiers": SECOND, "aspects": {"clarity": [2, 4], "honesty": [5, 4]}}
    assert judged.scores == (3.5, 4.0)


def test_a_rating_question_gets_the_mean_points_of_both_orders() -> None:
    spec = make_spec("aspects", aspects=(Aspect(name="honesty"),))
    judged = judged_by(spec, item_of(2, rating(5, 2)), lambda call: '{"ratings": {"A": 5, "B": 2}}')
    assert answer_of(judged) == {"tiers": TIE, "ratings": [4, 4]}  # 3.5 goes up
    said = {0: '{"ratings": {"A": 5, "B": 1}}', 1: '{"ratings": {"A": 3, "B": 2}}'}
    judged = judged_by(spec, item_of(2, rating(5, 2)), lambda call: said[call.round])
    assert (answer_of(judged)["ratings"], judged.tiers, judged.flipped) == ([4, 2], FIRST, True)


def test_a_mean_of_points_settles_orders_that_disagree() -> None:
    spec = make_spec("aspects", aspects=(Aspect(name="honesty"),), conflict="mean")
    said = {0: '{"ratings": {"A": 5, "B": 1}}', 1: '{"ratings": {"A": 3, "B": 2}}'}
    assert judged_by(spec, item_of(), lambda call: said[call.round]).tiers == FIRST


def test_level_rankings_of_samples_fall_back_to_the_mean_rank() -> None:
    spec = make_spec("listwise", orders="balanced", num_samples=2, temperature=1.0)
    said = {0: "A > B > C", 1: "A > C > B"}
    item = item_of(3, ranking(3), display_order=(0, 1, 2))
    judged = judged_by(spec, item, lambda call: said[call.sample])
    assert (judged.tiers, judged.margin) == ([[0], [1, 2]], 0.0)


def test_strengths_of_points_and_probabilities_come_from_their_distance() -> None:
    question = pairwise(num_strengths=4)
    points = {0: 10, 1: 5}
    judged = judged_by(make_spec("single_score"), item_of(question=question), lambda c: str(points[c.display_order[0]]))
    assert answer_of(judged)["strength"] == 3  # 5 of 9 steps: 2.2 of 4, upwards
    spec, item = make_spec("pairwise_logprobs", orders="balanced"), item_of(question=question, display_order=(0, 1))
    (call,) = plan(spec, item, 0)
    soft = combine(spec, item, [(call, read(call, tokens_of(A=0.3, B=0.6, C=0.1)))])
    assert answer_of(soft) == {"tiers": SECOND, "strength": 2}  # .3 of 4 is 1.2, upwards


def test_a_panel_averages_soft_labels() -> None:
    spec, item = make_spec("pairwise_logprobs", orders="balanced"), item_of(display_order=(0, 1))
    (call,) = plan(spec, item, 0)
    replies = [tokens_of(A=0.9, B=0.05, C=0.05), tokens_of(A=0.4, B=0.5, C=0.1), tokens_of(A=0.4, B=0.5, C=0.1)]
    members = [combine(spec, item, [(call, read(call, reply))]) for reply in replies]
    assert combine_panel(members, question=pairwise()).tiers == SECOND
    mean = combine_panel(members, question=pairwise(), method="mean")
    assert mean.tiers == FIRST
    assert mean.preference == pytest.approx((1.7 + 0.25 / 2) / 3)


def test_a_panel_that_ties_where_no_tie_is_allowed_says_so() -> None:
    found = combine_panel(panel_of("A", "B"), question=pairwise(allows_ties=False))
    assert found.answer is None
    assert "without ties" in found.reason


def test_principles_vote() -> None:
    spec = make_spec("constitution", principles=("a", "b", "c"))
    judged = judged_by(spec, item_of(), lambda call: f"[[{letter_of(call, 1 if call.part else 0)}]]")
    assert judged.tiers == SECOND
    assert judged.preference == pytest.approx(1 / 3)


def test_a_checklist_earns_its_weights() -> None:
    criteria = (Criterion(text="right", weight=3), Criterion(text="short"), Criterion(text="rude", weight=-2))
    said = {0: ("yes", "no", "yes"), 1: ("no", "yes", "no")}

    def say(call: Any) -> str:
        return json.dumps({str(number): value for number, value in enumerate(said[call.display_order[0]], start=1)})

    judged = judged_by(make_spec("checklist", criteria=criteria), item_of(), say)
    assert judged.scores == (0.25, 0.25)  # (3 - 2) / 4 and 1 / 4
    assert judged.tiers == TIE


def test_every_answer_is_one_that_the_question_accepts() -> None:
    question = pairwise(num_strengths=3, rationale="optional")
    for text in ('{"verdict": "A", "strength": 2}', '{"verdict": "C"}'):
        judged = judged_by(make_spec("pairwise_verdict"), item_of(question=question), lambda call, text=text: text)  # type: ignore[misc]
        assert parse_answer(answer_of(judged), question=question, num_completions=2).to_json() == judged.answer


def test_a_judgment_is_json() -> None:
    judged = judged_by(make_spec("single_score"), item_of(), lambda call: "7")
    assert json.loads(json.dumps(judged.to_json()))["preference"] is None
    outcome = read(plan(make_spec("single_score"), item_of(), 0)[1], TextReply(text="7"))
    assert isinstance(outcome, Verdict)
    assert json.loads(json.dumps(outcome.to_json())) == {"kind": "verdict", "read_as": "choice", "points": {"1": 7.0}}


def panel_of(*letters: str) -> list[Judged]:
    spec = make_spec("pairwise_verdict", orders="balanced")
    item = item_of(display_order=(0, 1))
    return [judged_by(spec, item, lambda call, letter=letter: letter) for letter in letters]  # type: ignore[misc]


@pytest.mark.parametrize(
    ("letters", "tiers"), [("AAB", FIRST), ("ABC", TIE), ("AACCC", TIE), ("AB", TIE), ("A?B?B", SECOND), ("AA?", FIRST)]
)
def test_a_panel_votes_as_long_as_more_than_half_of_its_members_do(letters: str, tiers: list[list[int]]) -> None:
    judged = combine_panel(panel_of(*letters), question=pairwise())
    assert judged.tiers == tiers
    assert judged.num_calls == len(letters)


def test_a_panel_without_a_quorum_has_no_verdict() -> None:
    judged = combine_panel(panel_of("A", "?", "?"), question=pairwise())
    assert (judged.answer, judged.tiers, judged.num_unparsed) == (None, None, 2)
    assert "1 of 3 judges have a verdict, 2 are needed" in judged.reason


def test_weights_decide_a_panel() -> None:
    members = panel_of("A", "B", "B")
    assert combine_panel(members, question=pairwise(), weights=[3, 1, 1]).tiers == FIRST
    with pytest.raises(ValueError, match="a weight above 0 for each of 3"):
        combine_panel(members, question=pairwise(), weights=[1, 1])


def test_a_panel_ranks_by_mean_rank() -> None:
    rankings = ["A > B > C", "A > C > B", "B > A > C"]
    item = item_of(3, ranking(3), display_order=(0, 1, 2))
    members = [
        judged_by(make_spec("listwise", orders="balanced"), item, lambda call, text=text: text)  # type: ignore[misc]
        for text in rankings
    ]
    assert combine_panel(members, question=ranking(3)).tiers == [[0], [1], [2]]  # mean ranks 1/3, 1, 5/3
