"""Stores checked votes chunk by chunk: prompts, models, completions, comparisons, slots and judgments, each once.

What is known already is found by fingerprint in the database, chunk by chunk, so that memory does not grow with the
file. Run it inside one transaction.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Max
from django.utils import timezone

from annotation.answers import to_canonical
from annotation.bulk_copy import copy_rows, next_ids
from annotation.judgment_import.annotators import ImportedAnnotators
from annotation.judgment_import.checking import CheckedVote
from annotation.judgment_import.material import Material
from annotation.models import Campaign, Candidate, Comparison, Judgment, Slot
from core.errors import ConcordError
from generation.models import PromptSet

MAX_SLOTS = 32_767  # what a slot's number can be
Place = tuple[int, int]  # (comparison, annotator)


class TooManyVotes(ConcordError):
    """One comparison has more annotators than it can have slots."""

    status = 422
    title = "Too many votes on one comparison"


@dataclass
class Counts:
    """What was stored so far."""

    num_added: int = 0  # new judgments, revisions included
    num_known: int = 0  # votes that were there already
    num_revised: int = 0  # new judgments that replace an earlier one of the same annotator
    num_comparisons: int = 0


@dataclass(frozen=True)
class KnownComparison:
    """A comparison's id and the canonical position of each of its completions."""

    pk: int
    positions: dict[int, int]  # completion id → position


class JudgmentWriter:
    """Writes into one campaign and one prompt set."""

    def __init__(self, *, campaign: Campaign, prompt_set: PromptSet) -> None:
        self.campaign = campaign
        self.counts = Counts()
        self.material = Material(prompt_set)
        self.annotators = ImportedAnnotators(campaign)

    def write(self, votes: Sequence[CheckedVote]) -> None:
        """Store a chunk. The later of two votes of one annotator on one comparison revises the earlier one."""
        prompts = self.material.prompts([(one.vote.messages, one.vote.tags) for one in votes])
        completions = self.material.completions(
            [(prompt, reply) for prompt, one in zip(prompts, votes, strict=True) for reply in one.replies]
        )
        groups = _cut(completions, [len(one.replies) for one in votes])
        comparisons = self._comparisons(prompts, groups, votes)
        annotators = self.annotators.ids([one.vote.annotator for one in votes])
        self._judge(
            [
                self._judgment(vote, comparison, group, annotator)
                for vote, comparison, group, annotator in zip(votes, comparisons, groups, annotators, strict=True)
            ]
        )

    def largest_overlap(self) -> int:
        """The most slots that a comparison of the campaign has; 1 at least."""
        numbers = Slot.objects.filter(campaign=self.campaign, purpose=Slot.Purpose.MAIN)
        return int((numbers.aggregate(most=Max("number"))["most"] or 0) + 1)

    def _comparisons(
        self, prompts: Sequence[int], groups: Sequence[Sequence[int]], votes: Sequence[CheckedVote]
    ) -> list[KnownComparison]:
        keys = [fingerprint_of(group) for group in groups]
        known = self._known_comparisons(set(keys))
        fresh = {key: n for n, key in reversed(list(enumerate(keys))) if key not in known}
        rows, candidates = [], []
        now = timezone.now()
        for (key, n), pk in zip(fresh.items(), next_ids(Comparison, len(fresh)), strict=True):
            rows.append(
                Comparison(
                    pk=pk,
                    campaign_id=self.campaign.pk,
                    prompt_id=prompts[n],
                    num_completions=len(groups[n]),
                    fingerprint=key,
                    categories=[tag[:100] for tag in votes[n].vote.tags],
                    created_at=now,
                )
            )
            candidates += [
                Candidate(comparison_id=pk, completion_id=completion, position=position)
                for position, completion in enumerate(groups[n])
            ]
            known[key] = KnownComparison(pk, {completion: number for number, completion in enumerate(groups[n])})
        copy_rows(rows)
        copy_rows(candidates)
        self.counts.num_comparisons += len(rows)
        return [known[key] for key in keys]

    def _known_comparisons(self, keys: set[str]) -> dict[str, KnownComparison]:
        rows = Comparison.objects.filter(campaign=self.campaign, fingerprint__in=keys).values_list("pk", "fingerprint")
        by_pk = {pk: KnownComparison(pk, {}) for pk, _ in rows}
        placed = Candidate.objects.filter(comparison__in=by_pk)
        for pk, completion, position in placed.values_list("comparison_id", "completion_id", "position"):
            by_pk[pk].positions[completion] = position
        return {key: by_pk[pk] for pk, key in rows}

    def _judgment(
        self, checked: CheckedVote, comparison: KnownComparison, group: Sequence[int], annotator: int
    ) -> Judgment:
        """The row of a vote, without its slot."""
        numbers = [comparison.positions[completion] for completion in group]
        answer = to_canonical(checked.answer, numbers).to_json()
        order = [numbers[index] for index in checked.display_order]
        return Judgment(
            comparison_id=comparison.pk,
            annotator_id=annotator,
            answer=answer,
            display_order=order if checked.vote.is_order_known else [],
            total_ms=checked.vote.total_ms,
            question_version=self.campaign.question_version,
            guideline_version=self.campaign.guideline_version,
            idempotency_key=_key(checked, group, order, answer),
            created_at=checked.vote.judged_at or timezone.now(),
        )

    def _judge(self, judgments: Sequence[Judgment]) -> None:
        """Store those that are not known yet, each on a slot of its own or as a revision."""
        fresh = self._fresh(judgments)
        for judgment, pk in zip(fresh, next_ids(Judgment, len(fresh)), strict=True):
            judgment.pk = pk
        held = self._held({_place(one) for one in fresh})
        Judgment.objects.filter(pk__in=[pk for pk, _ in held.values()]).update(is_current=False)
        slots = self._slots([one for one in fresh if _place(one) not in held])
        self._chain(fresh, held, {_place_of_slot(slot): slot.pk for slot in slots})
        copy_rows(slots)
        copy_rows(fresh)
        self.counts.num_added += len(fresh)
        self.counts.num_known += len(judgments) - len(fresh)
        self.counts.num_revised += len(fresh) - len(slots)

    def _chain(self, fresh: Sequence[Judgment], held: dict[Place, tuple[int, int]], slot_ids: dict[Place, int]) -> None:
        """Give every judgment its slot, and the one that it revises."""
        current: dict[Place, Judgment] = {}
        for judgment in fresh:
            place = _place(judgment)
            if place in current:
                current[place].is_current = False
                judgment.revises_id, judgment.slot_id = current[place].pk, current[place].slot_id
            elif place in held:
                judgment.revises_id, judgment.slot_id = held[place]
            else:
                judgment.slot_id = slot_ids[place]
            current[place] = judgment

    def _slots(self, judgments: Sequence[Judgment]) -> list[Slot]:
        """A new slot for each place, already judged, numbered on from those that its comparison has."""
        first: dict[Place, Judgment] = {}
        for judgment in judgments:
            first.setdefault(_place(judgment), judgment)
        existing = Slot.objects.filter(comparison__in={pk for pk, _ in first}, purpose=Slot.Purpose.MAIN)
        numbers = dict(existing.order_by().values_list("comparison_id").annotate(Count("pk")))
        slots = []
        for pk, (place, judgment) in zip(next_ids(Slot, len(first)), first.items(), strict=True):
            number = numbers.get(place[0], 0)
            numbers[place[0]] = number + 1
            slots.append(self._slot(pk, judgment, number))
        return slots

    def _fresh(self, judgments: Sequence[Judgment]) -> list[Judgment]:
        """Without those that are stored already, and without copies."""
        stored = Judgment.objects.filter(
            annotator__in={one.annotator_id for one in judgments},
            idempotency_key__in=[one.idempotency_key for one in judgments],
        )
        known = set(stored.values_list("annotator_id", "idempotency_key"))
        fresh = []
        for judgment in judgments:
            key = (judgment.annotator_id, judgment.idempotency_key)
            if key not in known:
                known.add(key)
                fresh.append(judgment)
        return fresh

    def _held(self, places: set[Place]) -> dict[Place, tuple[int, int]]:
        """(comparison, annotator) → (current judgment, its slot), of those places that have one."""
        current = Judgment.objects.current().filter(
            comparison__in={comparison for comparison, _ in places},
            annotator__in={annotator for _, annotator in places},
            purpose=Slot.Purpose.MAIN,
        )
        rows = current.values_list("comparison_id", "annotator_id", "pk", "slot_id")
        held = {(comparison, annotator): (pk, slot) for comparison, annotator, pk, slot in rows}
        return {place: held[place] for place in places & held.keys()}

    def _slot(self, pk: int, judgment: Judgment, number: int) -> Slot:
        if number >= MAX_SLOTS:
            raise TooManyVotes(f"A comparison can have {MAX_SLOTS:,} votes; this file has more on one.")
        return Slot(
            pk=pk,
            campaign_id=self.campaign.pk,
            comparison_id=judgment.comparison_id,
            number=number,
            annotator_id=judgment.annotator_id,
            display_order=judgment.display_order,
            question_version=judgment.question_version,
            judged_at=judgment.created_at,
        )


def fingerprint_of(completions: Sequence[int]) -> str:
    """The same as `NewComparison.fingerprint`, from ids."""
    return hashlib.sha256(",".join(map(str, sorted(completions))).encode()).hexdigest()


def _key(checked: CheckedVote, group: Sequence[int], order: list[int], answer: dict[str, object]) -> str:
    """What makes a vote the same vote when its file is imported again."""
    moment: datetime | None = checked.vote.judged_at
    said = [list(group), checked.vote.source_key, order, answer, moment.isoformat() if moment else ""]
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def _cut(values: Sequence[int], lengths: Sequence[int]) -> list[Sequence[int]]:
    groups, start = [], 0
    for length in lengths:
        groups.append(values[start : start + length])
        start += length
    return groups


def _place(judgment: Judgment) -> Place:
    return judgment.comparison_id, judgment.annotator_id


def _place_of_slot(slot: Slot) -> Place:
    assert slot.annotator_id is not None  # noqa: S101 -- made with one; this tells the type checker
    return slot.comparison_id, slot.annotator_id
