from __future__ import annotations

import pytest

from annotation.judging import Judged, make_spec
from annotation.judging.routing import RoutingPolicy, least_margin_for, route, routing_curve
from annotation.question import rating
from tests.annotation.judging.items import item_of, judged_by, letter_of

NAN = float("nan")
CLEAR = judged_by(make_spec("pairwise_verdict"), item_of(), lambda call: letter_of(call, 0))
FLIPPED = judged_by(make_spec("pairwise_verdict"), item_of(), lambda call: "A")
KEPT_BOTH = judged_by(make_spec("pairwise_verdict", conflict="keep_both"), item_of(), lambda call: "A")
UNPARSED = judged_by(make_spec("pairwise_verdict"), item_of(), lambda call: "?")
UNSURE = judged_by(
    make_spec("pairwise_verdict", num_samples=3, temperature=1.0),
    item_of(),
    lambda call: letter_of(call, 1 if call.sample else 0),
)


@pytest.mark.parametrize(
    ("judged", "reason"),
    [
        (CLEAR, "clear"),
        (FLIPPED, "flipped"),
        (KEPT_BOTH, "flipped"),
        (UNPARSED, "no_verdict"),
        (UNSURE, "low_margin"),
    ],
)
def test_what_is_not_clear_goes_to_people(judged: Judged, reason: str) -> None:
    found = route(RoutingPolicy(min_margin=0.5, audit_share=0.0), 1, judged)
    assert found.reason == reason
    assert found.decided_by == ("judge" if reason == "clear" else "people")
    assert found.wants_people == (reason != "clear")


def test_flipped_ones_stay_only_where_there_is_a_verdict() -> None:
    policy = RoutingPolicy(flipped_to_people=False, audit_share=0.0)
    assert route(policy, 1, FLIPPED).decided_by == "judge"
    assert route(policy, 1, KEPT_BOTH).decided_by == "people"


def test_a_single_reply_has_no_margin_and_is_kept() -> None:
    judged = judged_by(make_spec("single_score"), item_of(1, rating(5)), lambda call: "7")
    assert route(RoutingPolicy(audit_share=0.0), 1, judged).decided_by == "judge"


def test_the_audit_is_a_seeded_share_of_what_the_judge_keeps() -> None:
    policy = RoutingPolicy(audit_share=0.2, seed=3)
    audited = [number for number in range(2000) if route(policy, number, CLEAR).is_audited]
    assert 320 < len(audited) < 480
    assert audited == [number for number in range(2000) if route(policy, number, CLEAR).is_audited]
    other = RoutingPolicy(audit_share=0.2, seed=4)
    assert audited != [number for number in range(2000) if route(other, number, CLEAR).is_audited]
    assert not any(route(policy, number, UNPARSED).is_audited for number in range(100))
    assert all(route(policy, number, CLEAR).wants_people for number in audited)


def test_the_curve_by_hand() -> None:
    curve = routing_curve(
        [0.2, 0.6, 1.0, 1.0, NAN], [False, False, False, True, False], [0, 1, 1, 0, 0], people_agreement=0.8
    )
    assert [point.min_margin for point in curve] == [0.2, 0.6, 1.0]
    assert [point.kept.value for point in curve] == [0.6, 0.4, 0.2]
    assert [point.judge_agreement.value for point in curve] == pytest.approx([2 / 3, 1, 1])
    assert [point.expected_agreement for point in curve] == pytest.approx(
        [0.6 * 2 / 3 + 0.4 * 0.8, 0.4 + 0.6 * 0.8, 0.2 + 0.8 * 0.8]
    )


def test_a_margin_that_nothing_reaches_keeps_nothing() -> None:
    (point,) = routing_curve([0.5], [False], [1], people_agreement=0.7, thresholds=[0.9])
    assert (point.kept.value, point.judge_agreement.value, point.expected_agreement) == (0.0, None, 0.7)
    assert point.judge_agreement.reason == "the judge keeps nothing at this margin"


def test_a_margin_is_chosen_by_the_low_end_of_the_interval() -> None:
    curve = routing_curve([0.1] * 50 + [0.9] * 50, [False] * 100, [0] * 25 + [1] * 75)
    assert least_margin_for(curve, 0.6) == (0.1, "")
    assert least_margin_for(curve, 0.9) == (0.9, "")  # 50 of 50: 92.9 % at least
    margin, reason = least_margin_for(curve, 0.95)
    assert margin is None
    assert "at no margin" in reason


@pytest.mark.parametrize("changes", [{"min_margin": 2}, {"audit_share": -0.1}])
def test_shares_outside_0_to_1_are_refused(changes: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="must lie in 0–1"):
        RoutingPolicy(**changes)  # type: ignore[arg-type] # both are floats
    with pytest.raises(ValueError, match="equally long"):
        routing_curve([1.0], [False], [1, 1])
