"""A campaign's judgments as columns: one statement, no object for any judgment. All that counts them starts here.

A campaign of a million judgments has few different answers and orders, so that these are kept once and named by number.

Shapes: J judgments, C comparisons, S different answers, K completions.
"""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
from django.db import connection
from numpy.typing import NDArray

from annotation import agreement
from annotation.models import Campaign, Slot

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]
Booleans = NDArray[np.bool_]

MAIN: Final = Slot.Purpose.MAIN.value
PURPOSES: Final = tuple(Slot.Purpose.values)  # the code of a purpose is its place

# Rows leave the database as text, thousands to a value: a row by itself costs the driver more than it costs PostgreSQL.
_JUDGMENTS = """
SELECT string_agg(concat_ws(';',
    judgment.id, judgment.comparison_id, judgment.annotator_id, judgment.slot_id,
    array_position(%(purposes)s::text[], judgment.purpose::text) - 1,
    judgment.active_ms, judgment.total_ms, extract(epoch FROM judgment.created_at)::float8,
    judgment.question_version, judgment.guideline_version,
    array_to_string(judgment.display_order, ' '),
    concat_ws('|', coalesce(judgment.answer->>'tiers', ''), coalesce(judgment.answer->>'strength', '1'),
        judgment.answer ? 'unranked_is_worse', judgment.answer ? 'both_bad',
        coalesce(judgment.answer->>'ratings', ''))
), E'\\n')
FROM annotation_judgment AS judgment
JOIN annotation_comparison AS comparison ON comparison.id = judgment.comparison_id
WHERE comparison.campaign_id = %(campaign)s AND judgment.is_current
GROUP BY judgment.id / 10000"""
_JUDGMENT_TYPES: Final = {
    "ids": pa.int64(),
    "comparisons": pa.int64(),
    "annotators": pa.int64(),
    "slots": pa.int64(),
    "purposes": pa.int64(),
    "active_ms": pa.int64(),
    "total_ms": pa.int64(),
    "created_at": pa.float64(),
    "question_versions": pa.int64(),
    "guideline_versions": pa.int64(),
    "orders": pa.dictionary(pa.int32(), pa.string()),
    "said": pa.dictionary(pa.int32(), pa.string()),
}

_COMPARISONS = """
SELECT string_agg(concat_ws(';',
    comparison.id, comparison.prompt_id, comparison.num_completions,
    coalesce(char_length(first.text), 0), coalesce(char_length(second.text), 0)
), E'\\n')
FROM annotation_comparison AS comparison
LEFT JOIN annotation_candidate AS left_one
    ON left_one.comparison_id = comparison.id AND comparison.num_completions = 2 AND left_one.position = 0
LEFT JOIN annotation_candidate AS right_one
    ON right_one.comparison_id = comparison.id AND comparison.num_completions = 2 AND right_one.position = 1
LEFT JOIN generation_completion AS first ON first.id = left_one.completion_id
LEFT JOIN generation_completion AS second ON second.id = right_one.completion_id
WHERE comparison.campaign_id = %(campaign)s
GROUP BY comparison.id / 10000"""
_COMPARISON_TYPES: Final = {
    "ids": pa.int64(),
    "prompts": pa.int64(),
    "num_completions": pa.int64(),
    "first_lengths": pa.int64(),
    "second_lengths": pa.int64(),
}


@dataclass(frozen=True)
class Said:
    """What an answer says about the order, without the remarks beside it."""

    tiers: Sequence[Sequence[int]] | None  # None: no opinion
    strength: int
    unranked_is_worse: bool
    is_both_bad: bool
    ratings: Sequence[int | None] | None

    @classmethod
    def from_text(cls, text: str) -> Said:
        tiers, strength, is_worse, is_both_bad, ratings = text.split("|")
        return cls(
            tiers=json.loads(tiers) if tiers else None,
            strength=int(strength),
            unranked_is_worse=is_worse == "t",
            is_both_bad=is_both_bad == "t",
            ratings=json.loads(ratings) if ratings else None,
        )


@dataclass(frozen=True, kw_only=True)
class JudgmentColumns:
    """Current judgments of a campaign, in the order of their ids."""

    ids_J: Integers
    comparisons_J: Integers
    annotators_J: Integers
    slots_J: Integers
    purposes_J: Integers  # places in PURPOSES
    active_ms_J: Integers
    total_ms_J: Integers
    created_at_J: Floats  # seconds since 1970
    question_versions_J: Integers
    guideline_versions_J: Integers
    orders_J: Integers  # numbers of `orders`
    said_J: Integers  # numbers of `said`
    orders: tuple[tuple[int, ...], ...]  # the completion shown at each place
    said: tuple[Said, ...]

    def __len__(self) -> int:
        return len(self.ids_J)

    def where(self, is_kept_J: Booleans) -> JudgmentColumns:
        """Some of the judgments."""
        kept = {item.name: getattr(self, item.name)[is_kept_J] for item in fields(self) if item.name.endswith("_J")}
        return replace(self, **kept)

    def of(self, *purposes: str) -> JudgmentColumns:
        """The judgments of slots with these purposes."""
        return self.where(np.isin(self.purposes_J, [PURPOSES.index(purpose) for purpose in purposes]))

    @property
    def has_order(self) -> Booleans:
        """Whether the judgment gives an order."""
        return np.array([said.tiers is not None for said in self.said], dtype=bool)[self.said_J]

    def signs(self, *, with_strengths: bool = False) -> Floats:
        """Of pairwise answers 1, 0 or -1 where the first is better, level or worse (times strength); else NaN."""
        values = [_signed(said, with_strengths=with_strengths) for said in self.said]
        return np.array(values, dtype=np.float64)[self.said_J]

    def ranks(self, num_completions: int) -> Floats:
        """Tier numbers from 0; NaN where nothing is said, infinite outside a top k."""
        return self.rank_table(num_completions)[self.said_J]

    def rank_table(self, num_completions: int) -> Floats:
        """The same of every different answer [S, K]."""
        table_SK = np.array([_ranks(said, num_completions) for said in self.said], dtype=np.float64)
        return table_SK.reshape(len(self.said), num_completions)


@dataclass(frozen=True, kw_only=True)
class PairRows:
    """What judgments say about every two completions: a row for each pair of each judgment that orders it."""

    judgments_R: Integers  # places in the columns
    comparisons_R: Integers
    annotators_R: Integers
    pairs_R: Integers  # numbers of (0, 1), (0, 2), …, (1, 2), …
    values_R: Floats  # 1, 0 or -1: the lower index is better, level or worse
    first_is_left_R: Booleans  # the lower index was shown before the other
    is_order_known_R: Booleans  # imported judgments may not say where which reply stood


@dataclass(frozen=True, kw_only=True)
class ComparisonColumns:
    """Comparisons of a campaign, by rising id."""

    ids_C: Integers
    prompts_C: Integers
    num_completions_C: Integers
    first_lengths_C: Integers  # characters; of pairs only
    second_lengths_C: Integers


def read_judgments(campaign: Campaign) -> JudgmentColumns:
    """Every current judgment of the campaign, whatever its purpose."""
    table = _copied(_JUDGMENTS, {"campaign": campaign.pk, "purposes": list(PURPOSES)}, _JUDGMENT_TYPES)
    order_J = np.argsort(_numbers(table, "ids"), kind="stable")
    names = [name for name in _JUDGMENT_TYPES if name not in ("orders", "said")]
    orders, orders_J = _coded(table, "orders")
    said, said_J = _coded(table, "said")
    return JudgmentColumns(
        **{f"{name}_J": _numbers(table, name)[order_J] for name in names},
        orders_J=orders_J[order_J],
        said_J=said_J[order_J],
        orders=tuple(tuple(int(place) for place in text.split()) for text in orders),
        said=tuple(Said.from_text(text) for text in said),
    )


def read_comparisons(campaign: Campaign) -> ComparisonColumns:
    """Every comparison of the campaign, with the lengths of a pair's replies."""
    table = _copied(_COMPARISONS, {"campaign": campaign.pk}, _COMPARISON_TYPES)
    order_C = np.argsort(_numbers(table, "ids"), kind="stable")
    return ComparisonColumns(**{f"{name}_C": _numbers(table, name)[order_C] for name in _COMPARISON_TYPES})


def agreement_columns(judgments: JudgmentColumns, num_completions: int, domain: Sequence[int]) -> agreement.Columns:
    """Judgments that give an order, for the functions of `annotation.agreement`.

    Values of pairs lie in `domain` (signs, or signs times strengths); those of rankings are signs of their pairs.
    """
    kept = judgments.where(judgments.has_order)
    if num_completions == 1:
        values_J = np.array([_rating(said) for said in kept.said], dtype=np.float64)[kept.said_J]
        return agreement.columns_of(kept.comparisons_J, kept.annotators_J, values_J, domain=domain)
    if num_completions == 2:
        values_J = kept.signs(with_strengths=len(domain) > 3)
        return agreement.columns_of(kept.comparisons_J, kept.annotators_J, values_J, domain=domain)
    with np.errstate(invalid="ignore"):  # two completions outside the top k have no order: ∞ - ∞
        return agreement.columns_of_ranks(kept.comparisons_J, kept.annotators_J, kept.ranks(num_completions))


def pair_rows(judgments: JudgmentColumns, num_completions: int) -> PairRows:
    """Judgments taken apart into pairs of completions; of a pairwise answer there is one."""
    firsts, seconds = np.triu_indices(num_completions, k=1)
    ranks_SK = judgments.rank_table(num_completions)
    with np.errstate(invalid="ignore"):
        values_SP = np.sign(ranks_SK[:, seconds] - ranks_SK[:, firsts])
    places_OK = np.array([_places(order, num_completions) for order in judgments.orders]).reshape(
        len(judgments.orders), num_completions
    )
    is_left_OP = places_OK[:, firsts] <= places_OK[:, seconds]
    values_JP = values_SP[judgments.said_J]
    rows_R, pairs_R = np.nonzero(~np.isnan(values_JP))
    return PairRows(
        judgments_R=rows_R,
        comparisons_R=judgments.comparisons_J[rows_R],
        annotators_R=judgments.annotators_J[rows_R],
        pairs_R=pairs_R,
        values_R=values_JP[rows_R, pairs_R],
        first_is_left_R=is_left_OP[judgments.orders_J[rows_R], pairs_R],
        is_order_known_R=np.array([bool(order) for order in judgments.orders], dtype=bool)[judgments.orders_J[rows_R]],
    )


def _copied(statement: str, values: dict[str, Any], types: dict[str, pa.DataType]) -> pa.Table:
    """The rows that a statement gives as blocks of text, as a table with these columns."""
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        blocks = [block for (block,) in cursor.fetchall()]
    if not blocks:
        return pa.table({name: pa.array([], type=kind) for name, kind in types.items()})
    return pa_csv.read_csv(
        io.BytesIO("\n".join(blocks).encode()),
        read_options=pa_csv.ReadOptions(column_names=list(types)),
        parse_options=pa_csv.ParseOptions(delimiter=";", quote_char=False),
        convert_options=pa_csv.ConvertOptions(column_types=types, strings_can_be_null=False),
    )


def _numbers(table: pa.Table, name: str) -> NDArray[Any]:
    column = table.column(name)
    filled = column.fill_null(0) if column.null_count else column
    return np.asarray(filled.to_numpy())


def _coded(table: pa.Table, name: str) -> tuple[list[str], Integers]:
    """The different texts of a column and each row's number among them."""
    column = table.column(name).unify_dictionaries().combine_chunks()
    if not len(column):
        return [], np.zeros(0, dtype=np.int64)
    whole = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    return whole.dictionary.to_pylist(), np.asarray(whole.indices.to_numpy(zero_copy_only=False), dtype=np.int64)


def _signed(said: Said, *, with_strengths: bool) -> float:
    if said.tiers is None:
        return np.nan
    if len(said.tiers) == 1:
        return 0.0
    sign = 1.0 if said.tiers[0] == [0] else -1.0
    return sign * said.strength if with_strengths else sign


def _rating(said: Said) -> float:
    """The points of the only reply."""
    points = said.ratings[0] if said.ratings else None
    return np.nan if points is None else float(points)


def _places(order: Sequence[int], num_completions: int) -> list[int]:
    """The place at which each completion was shown; 0 for those of which it is not known."""
    return [order.index(index) if index in order else 0 for index in range(num_completions)]


def _ranks(said: Said, num_completions: int) -> list[float]:
    ranks = [np.inf if said.unranked_is_worse else np.nan] * num_completions
    for place, tier in enumerate(said.tiers or []):
        for index in tier:
            ranks[index] = float(place)
    return ranks
