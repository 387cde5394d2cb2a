"""Is an answer to a gold item right?"""

from collections.abc import Mapping
from typing import Any

from annotation.tiers import pairs_of

MIN_SHARE_OF_PAIRS = 0.8  # of a ranking's known order


def is_right(answer: Mapping[str, Any], gold: Mapping[str, Any]) -> bool:
    """Whether the answer says of at least four in five of the known preferences the same; "can't judge" is not right.

    A known tie is right only as a tie. For two completions that means: the same one is better.
    """
    if not answer.get("tiers"):
        return False
    known, said = pairs_of(gold), pairs_of(answer)
    wanted = {("better", *pair) for pair in known.preferences} | {("tied", *pair) for pair in known.ties}
    given = {("better", *pair) for pair in said.preferences} | {("tied", *pair) for pair in said.ties}
    if not wanted:
        return True
    return len(wanted & given) / len(wanted) >= MIN_SHARE_OF_PAIRS
