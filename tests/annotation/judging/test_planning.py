from __future__ import annotations

from collections import Counter

import pytest

from annotation.judging import (
    CannotJudge,
    Refused,
    Truncated,
    Unparsed,
    cache_key,
    display_orders,
    make_spec,
    plan,
    retry,
)
from annotation.question import pairwise, ranking
from tests.annotation.judging.items import TEXTS, item_of


def test_both_orders_show_each_pair_both_ways() -> None:
    assert [call.display_order for call in plan(make_spec("pairwise_verdict"), item_of(), 0)] == [(0, 1), (1, 0)]


def test_both_orders_of_a_list_are_a_drawn_one_and_its_reverse() -> None:
    spec = make_spec("listwise")
    drawn = {tuple(display_orders(spec, item_of(4, ranking(4)), seed)) for seed in range(20)}
    assert len(drawn) > 5
    assert all(first == second[::-1] for first, second in drawn)


@pytest.mark.parametrize("size", [2, 3, 4])
def test_balanced_orders_show_each_reply_equally_often_at_each_place(size: int) -> None:
    question = pairwise() if size == 2 else ranking(size)
    spec = make_spec("listwise", orders="balanced")
    orders = [display_orders(spec, item_of(size, question, number=number), 3)[0] for number in range(10 * size)]
    assert set(Counter(order[0] for order in orders).values()) == {10}
    assert orders != [orders[0], orders[1]] * (5 * size)  # no pattern that a sorted import could follow
    assert all(sorted(order) == list(range(size)) for order in orders)


def test_the_order_of_a_lease_is_the_one_that_is_shown() -> None:
    spec = make_spec("pairwise_verdict", orders="balanced")
    assert display_orders(spec, item_of(display_order=(1, 0)), 0) == [(1, 0)]


def test_one_seed_plans_the_same_calls_and_another_one_other_seeds() -> None:
    spec = make_spec("pairwise_reasoning", num_samples=3, temperature=0.8)
    first, again, other = plan(spec, item_of(), 1), plan(spec, item_of(), 1), plan(spec, item_of(), 2)
    assert first == again
    assert len({call.seed for call in first}) == len(first) == 6
    assert len({call.key for call in first}) == 6
    assert not {call.key for call in first} & {call.key for call in other}


def test_at_temperature_0_no_seed_makes_a_call_another_one() -> None:
    spec = make_spec("pairwise_verdict")
    assert [call.key for call in plan(spec, item_of(), 1)] == [call.key for call in plan(spec, item_of(), 2)]


def test_the_key_is_of_all_that_decides_the_reply_and_of_nothing_else() -> None:
    call = plan(make_spec("pairwise_verdict"), item_of(), 0)[0]
    changed = [
        plan(make_spec("pairwise_verdict"), item_of(texts=("first text", "other")), 0)[0],
        plan(make_spec("pairwise_verdict", guidelines="Be strict."), item_of(), 0)[0],
        plan(make_spec("pairwise_verdict", max_new_tokens=9), item_of(), 0)[0],
        plan(make_spec("pairwise_verdict"), item_of(question=pairwise(num_strengths=3)), 0)[0],
        plan(make_spec("pairwise_logprobs", template=make_spec("pairwise_verdict").template), item_of(), 0)[0],
    ]
    assert len({call.key, *(other.key for other in changed)}) == 6
    assert plan(make_spec("pairwise_verdict", conflict="abstain", num_retries=0), item_of(), 0)[0].key == call.key


def test_replies_of_another_model_or_revision_have_another_address() -> None:
    call = plan(make_spec("pairwise_verdict"), item_of(), 0)[0]
    addresses = {
        cache_key(call, model="m", model_revision="1"),
        cache_key(call, model="m", model_revision="2"),
        cache_key(call, model="n", model_revision="1"),
        cache_key(call, model="m", model_revision="1", adapter="a"),
    }
    assert len(addresses) == 4
    assert cache_key(call, model="m", model_revision="1") in addresses


def test_a_retry_is_another_request() -> None:
    call = plan(make_spec("pairwise_verdict"), item_of(), 0)[0]
    again = retry(call, Unparsed(reason="empty"))
    assert again.attempt == 1
    assert again.key != call.key
    assert len(retry(again, Refused(reason="no")).messages[-1]["content"]) == len(again.messages[-1]["content"])
    longer = retry(call, Truncated(reason="cut"))
    assert (longer.max_new_tokens, longer.messages) == (2 * call.max_new_tokens, call.messages)


def test_a_retry_of_a_drawn_reply_draws_anew() -> None:
    call = plan(make_spec("pairwise_reasoning", temperature=1.0), item_of(), 0)[0]
    seeds = {call.seed, (second := retry(call, Unparsed(reason=""))).seed, retry(second, Unparsed(reason="")).seed}
    assert len(seeds) == 3


def test_letters_are_requested_as_choices_and_more_as_a_schema() -> None:
    letter = plan(make_spec("pairwise_verdict"), item_of(), 0)[0]
    strong = plan(make_spec("pairwise_verdict"), item_of(question=pairwise(num_strengths=4)), 0)[0]
    without_ties = make_spec("pairwise_verdict", conflict="abstain")
    assert (letter.choices, letter.json_schema) == (("A", "B", "C"), None)
    assert strong.choices == ()
    assert strong.json_schema is not None
    assert list(strong.json_schema["properties"]) == ["verdict", "strength"]
    assert plan(without_ties, item_of(question=pairwise(allows_ties=False)), 0)[0].choices == ("A", "B")


def test_reasons_come_before_the_verdict_in_the_schema() -> None:
    schema = plan(make_spec("pairwise_reasoning"), item_of(), 0)[0].json_schema
    assert schema is not None
    assert list(schema["properties"]) == ["reasoning", "verdict"]


def test_single_replies_are_judged_one_by_one_and_once() -> None:
    calls = plan(make_spec("single_score"), item_of(4, ranking(4)), 0)
    assert [call.display_order for call in calls] == [(0,), (1,), (2,), (3,)]
    assert [TEXTS[index] in calls[0].messages[-1]["content"] for index in range(4)] == [True, False, False, False]


def test_a_reference_is_shown_where_there_is_one() -> None:
    content = plan(make_spec("single_score"), item_of(reference="It is 42."), 0)[0].messages[-1]["content"]
    assert "REFERENCE ANSWER" in content
    assert "It is 42." in content
    assert "REFERENCE" not in plan(make_spec("single_score"), item_of(), 0)[0].messages[-1]["content"]


def test_principles_are_drawn_for_each_item_and_are_the_same_in_both_orders() -> None:
    spec = make_spec("constitution", principles=("p0", "p1", "p2", "p3"), principles_per_item=1)
    parts = [{call.part for call in plan(spec, item_of(texts=("a", str(number))), 0)} for number in range(30)]
    assert all(len(part) == 1 for part in parts)
    assert {next(iter(part)) for part in parts} == {0, 1, 2, 3}
    everything = make_spec("constitution", principles=("p0", "p1", "p2", "p3"))
    assert len(plan(everything, item_of(), 0)) == 8


def test_earlier_turns_are_shown_with_their_roles() -> None:
    prompt = tuple({"role": role, "content": role.upper()} for role in ("user", "assistant", "user"))
    content = plan(make_spec("pairwise_verdict"), item_of(prompt=prompt), 0)[0].messages[-1]["content"]
    assert "[assistant]\nASSISTANT\n\n[user]\nUSER" in content


def test_what_cannot_be_judged_is_refused_before_any_call() -> None:
    with pytest.raises(CannotJudge, match="2 replies, got 3"):
        plan(make_spec("pairwise_verdict"), item_of(3, pairwise()), 0)
    with pytest.raises(CannotJudge, match="two replies, not 4"):
        plan(make_spec("pairwise_verdict"), item_of(4, ranking(4)), 0)
