"""What a reply is read as, and what the replies about one comparison come to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar, Literal

from annotation.tiers import Tiers

ReadAs = Literal["choice", "json", "brackets", "line", "logprobs"]


@dataclass(frozen=True, kw_only=True)
class Probabilities:
    """That completion 0 is better, that both are level, that completion 1 is better. They sum to 1."""

    first: float
    tie: float
    second: float

    @property
    def preference(self) -> float:
        """The soft label: the probability of completion 0, where a tie counts half."""
        return self.first + self.tie / 2

    @property
    def margin(self) -> float:
        """How far the likeliest of the three is ahead of the next one: 0 (level) to 1 (certain)."""
        _, middle, highest = sorted((self.first, self.tie, self.second))
        return highest - middle


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """A reply that was understood. Indices are the completions' own, whatever was shown where."""

    kind: ClassVar[str] = "verdict"
    read_as: ReadAs
    tiers: Tiers | None = None  # of the completions shown
    probabilities: Probabilities | None = None  # of pairs
    points: Mapping[int, float] = field(default_factory=dict)  # index → points
    checks: tuple[bool, ...] = ()  # of a checklist, by criterion
    strength: int | None = None
    rationale: str = ""

    def to_json(self) -> dict[str, Any]:
        values = {name: value for name, value in asdict(self).items() if value not in (None, {}, (), "")}
        if self.points:
            values["points"] = {str(index): value for index, value in self.points.items()}
        return {"kind": self.kind, **values}


@dataclass(frozen=True, kw_only=True)
class Unparsed:
    """A reply without exactly one verdict: empty, malformed, or with two of them. It is no tie."""

    kind: ClassVar[str] = "unparsed"
    reason: str


@dataclass(frozen=True, kw_only=True)
class Refused:
    """The model declined to judge, or its provider kept the reply back."""

    kind: ClassVar[str] = "refused"
    reason: str


@dataclass(frozen=True, kw_only=True)
class Truncated:
    """The reply ended at the limit of tokens before its verdict."""

    kind: ClassVar[str] = "truncated"
    reason: str


Failure = Unparsed | Refused | Truncated
Outcome = Verdict | Failure


@dataclass(frozen=True, kw_only=True)
class OrderAnswer:
    """What one displayed order says by itself."""

    display_order: tuple[int, ...]
    answer: dict[str, Any] | None
    tiers: Tiers


@dataclass(frozen=True, kw_only=True)
class Judged:
    """One judge's judgment of one comparison.

    A pair of completions disagrees if two displayed orders do not say the same about it, and is reversed if they
    prefer opposite sides. Both are counted over `num_pairs`, which is 0 where only one order was read.
    """

    answer: dict[str, Any] | None  # canonical JSON that `annotation.answers.parse_answer` accepts
    reason: str = ""  # why there is no answer
    tiers: Tiers | None = None
    probabilities: Probabilities | None = None  # of a pair: mean over orders and samples
    scores: tuple[float, ...] | None = None  # by completion, where replies got points
    margin: float | None = None  # 0 … 1: how clear it is, of the least clear two replies
    by_order: tuple[OrderAnswer, ...] = ()
    num_pairs: int = 0
    num_disagreeing: int = 0
    num_reversed: int = 0
    num_calls: int = 0
    num_unparsed: int = 0
    num_refused: int = 0
    num_truncated: int = 0

    @property
    def flipped(self) -> bool | None:
        """Whether the displayed order changed anything; None where only one order was read."""
        return self.num_disagreeing > 0 if self.num_pairs else None

    @property
    def preference(self) -> float | None:
        """The soft label of a pair: the probability of completion 0, where a tie counts half."""
        return self.probabilities.preference if self.probabilities else None

    def to_json(self) -> dict[str, Any]:
        """A JSON object for storage."""
        return {**asdict(self), "flipped": self.flipped, "preference": self.preference}
