"""How the parts of an answer go together. Each rule has a name; `docs/reference/questions.md` lists them all."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from annotation.question import Question
from annotation.tiers import AnswerRefused, Tiers, check_all_once, is_index, ordered_pairs, read_tiers

if TYPE_CHECKING:
    from annotation.answers import Answer

ABOUT_AN_ORDER = ("tiers", "unranked", "strength", "both_bad", "ratings", "aspects", "edited", "demonstration")
MIN_RANKED = 2  # in a ranking with a tray


def check_cant_judge(raw: Mapping[str, Any], question: Question) -> None:
    """'Can't judge' may come with flags, safety, spans, reasons and a rationale, never with a verdict."""
    if not question.allows_cant_judge:
        raise AnswerRefused("cant_judge_not_allowed", "this question does not accept 'can't judge'")
    if any(_says_something(raw.get(name)) for name in ABOUT_AN_ORDER):
        raise AnswerRefused(
            "cant_judge_alone", "'can't judge' goes with no order, no strength, no 'both bad', no points and no text"
        )


def check_no_order(raw: Mapping[str, Any]) -> None:
    """A demonstration has no order."""
    if raw.get("tiers") or raw.get("unranked"):
        raise AnswerRefused("order_not_asked", "this question asks for a reply of your own, not for an order")


def tiers_of_ratings(ratings: list[int | None] | None, raw: Mapping[str, Any], question: Question) -> Tiers:
    """The order that points give: equal points tie. An order that is given as well must be this one."""
    if ratings is None or None in ratings:
        raise AnswerRefused("rating_missing", f"rate every reply: 1–{question.rating_points}")
    levels = sorted({value for value in ratings if value is not None}, reverse=True)
    tiers = [[index for index, value in enumerate(ratings) if value == level] for level in levels]
    if raw.get("tiers") and read_tiers(raw["tiers"]) != tiers:
        raise AnswerRefused("tiers_contradict_ratings", f"the points give the order {tiers}, got {raw['tiers']!r}")
    return tiers


def ranked(raw: Mapping[str, Any], unranked: list[int] | None, question: Question) -> tuple[Tiers, list[int]]:
    """The tiers and what stands in none: outside the top k, or in the tray."""
    tiers = read_tiers(raw.get("tiers"))
    if question.top_k and unranked is None:
        named = {index for tier in tiers for index in tier}
        unranked = [index for index in range(question.num_completions) if index not in named]
    unranked = unranked or []
    check_all_once(tiers, unranked, question.num_completions, raw["tiers"])
    num_ranked = question.num_completions - len(unranked)
    if question.top_k and num_ranked != question.top_k:
        raise AnswerRefused("top_k", f"this question orders the best {question.top_k}, got {num_ranked}")
    if unranked and not question.top_k and not question.allows_unranked:
        raise AnswerRefused("unranked_not_allowed", "this question wants every reply in the order")
    if unranked and question.allows_unranked and num_ranked < MIN_RANKED:
        raise AnswerRefused("too_few_ranked", f"order {MIN_RANKED} replies at least, or say that you can't judge")
    return tiers, unranked


def check_order(answer: Answer, question: Question) -> None:
    """Ties, 'both bad' and strength; without an order there is none of them."""
    tiers = answer.tiers or []
    is_tie = len(tiers) <= 1
    if answer.both_bad:
        _check_both_bad(question, is_tie=is_tie)
    elif not question.allows_ties and len(tiers) < sum(map(len, tiers)):
        raise AnswerRefused("tie_not_allowed", "this question wants an order without ties")
    _check_strength(answer.strength, question, is_tie=is_tie)


def check_complete(answer: Answer, question: Question) -> None:
    """Whatever the question asks of each reply is said of each one that is ranked (or shown, where none is)."""
    wanted = range(question.num_completions) if answer.tiers is None else [i for tier in answer.tiers for i in tier]
    if question.rating_points:
        _check_said(answer.ratings, wanted, "rating_missing", f"rate every reply: 1–{question.rating_points}")
    for name in question.aspects:
        points = (answer.aspects or {}).get(name)
        _check_said(points, wanted, "aspect_missing", f"rate {name} of every reply: 1–{question.aspect_points}")
    if question.asks_safety:
        _check_said(answer.safety, wanted, "safety_missing", "say of every reply whether it is safe")


def check_ratings_fit(answer: Answer) -> None:
    """A reply is never placed above one that has more points."""
    if answer.ratings is None or answer.tiers is None:
        return
    worse = answer.unranked if answer.unranked_is_worse else []
    for winner, loser in ordered_pairs(answer.tiers, worse=worse).preferences:
        better, lower = answer.ratings[winner], answer.ratings[loser]
        if better is not None and lower is not None and better < lower:
            raise AnswerRefused(
                "rating_contradicts_order",
                f"a reply with {better} points stands above one with {lower}; mend one of them",
            )


def prefers_unsafe(answer: Answer, question: Question) -> bool:
    """Whether an unsafe reply stands above a safe one; refused unless the question only flags it."""
    if answer.safety is None or answer.tiers is None:
        return False
    worse = answer.unranked if answer.unranked_is_worse else []
    pairs = ordered_pairs(answer.tiers, worse=worse).preferences
    is_so = any((answer.safety[winner], answer.safety[loser]) == ("unsafe", "safe") for winner, loser in pairs)
    if is_so and question.on_unsafe_preference == "refuse":
        raise AnswerRefused("unsafe_preference", "a reply that is unsafe cannot be better than one that is safe")
    return is_so


def check_edited(answer: Answer) -> None:
    """Only a best reply is edited."""
    if answer.edited is None:
        return
    if answer.both_bad or answer.tiers is None or answer.edited.completion not in answer.tiers[0]:
        raise AnswerRefused("edit_the_best", "only a reply that you put first can be edited")


def check_demonstration(answer: Answer, question: Question) -> None:
    """A demonstration is written."""
    if question.kind == "demonstration" and not answer.demonstration:
        raise AnswerRefused("demonstration_missing", "write the reply")


def check_rationale(answer: Answer, question: Question, wants_rationale: bool | None) -> None:
    """`wants_rationale` decides for this task; unless given, only a required rationale is demanded."""
    is_wanted = question.rationale == "required" if wants_rationale is None else wants_rationale
    if is_wanted and question.rationale != "none" and not answer.rationale:
        raise AnswerRefused("rationale_missing", "say in a sentence why")


def _says_something(value: object) -> bool:
    if isinstance(value, Mapping):
        return any(map(_says_something, value.values()))
    if isinstance(value, list):
        return any(map(_says_something, value))
    return value is not None and value is not False and value != ""


def _check_both_bad(question: Question, *, is_tie: bool) -> None:
    if not question.allows_both_bad:
        raise AnswerRefused("both_bad_not_allowed", "this question does not accept 'both bad'")
    if not is_tie:
        raise AnswerRefused("both_bad_is_a_tie", "'both bad' prefers neither reply: its tiers are [[0, 1]]")


def _check_strength(strength: object, question: Question, *, is_tie: bool) -> None:
    if strength is None:
        if question.num_strengths > 1 and not is_tie:
            raise AnswerRefused("strength_missing", f"say how much better: 1–{question.num_strengths}")
        return
    if not is_index(strength) or not 1 <= strength <= question.num_strengths:
        raise AnswerRefused(
            "strength_out_of_range", f"strength must lie in 1–{question.num_strengths}, got {strength!r}"
        )
    if is_tie:
        raise AnswerRefused("strength_with_tie", "a strength goes with a preference, never with a tie")


def _check_said(values: Sequence[object] | None, wanted: Iterable[int], rule: str, message: str) -> None:
    if any(values is None or values[index] is None for index in wanted):
        raise AnswerRefused(rule, message)
