"""An imported vote in words, for people who look before they import."""

from __future__ import annotations

from annotation.judgment_import.checking import CheckedVote


def answer_words(checked: CheckedVote) -> str:
    """ "2 > 1 = 3": replies by their places from the left, best first, and what else was said."""
    answer = checked.answer
    places = {index: place for place, index in enumerate(checked.display_order, start=1)}
    words = []
    if answer.cant_judge:
        words.append("can’t judge")
    if answer.tiers:
        words.append(" > ".join(" = ".join(map(str, sorted(places[i] for i in tier))) for tier in answer.tiers))
    if answer.both_bad:
        words.append("both bad")
    if answer.unranked:
        words.append(f"unranked: {', '.join(map(str, sorted(places[index] for index in answer.unranked)))}")
    if answer.ratings:
        points = [answer.ratings[index] for index in checked.display_order]
        words.append(f"points: {', '.join('–' if value is None else str(value) for value in points)}")
    if answer.reasons:
        words.append(f"because: {', '.join(answer.reasons)}")
    if answer.rationale:
        words.append(f"“{answer.rationale[:80]}”")
    return "; ".join(words)
