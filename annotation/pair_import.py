"""Existing preference pairs become a campaign: prompts, completions, comparisons and judgments, in one transaction."""

import hashlib
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.db import transaction
from django.utils import timezone

from accounts.models import User, Workspace
from annotation import question
from annotation.models import Annotator, Campaign, Candidate, Comparison, Enrolment, Judgment, Slot
from annotation.new_comparisons import NewComparison, create_comparisons
from annotation.pair_lines import PreferencePair, parse_pairs
from core.errors import ConcordError
from generation import services as generation
from generation.models import Completion, Prompt, PromptSet
from generation.prompt_lines import ImportRefused, NewPrompt
from generation.splits import fingerprint

BATCH = 2000
IMPORTED_GUIDELINES = "The judgments of this campaign came with a file; nobody was asked here."


class ImportConflict(ConcordError):
    """The name belongs to something else that pairs cannot be added to."""

    status = 409
    title = "These pairs cannot be added there"


@dataclass(frozen=True, kw_only=True)
class PairImport:
    """What an import of pairs made."""

    campaign: Campaign
    prompt_set: PromptSet
    num_pairs: int  # new judgments
    num_known: int  # pairs that were there already
    skipped: list[tuple[int, str]]  # (line number, reason) of the lines passed over


def import_preference_pairs(
    *,
    workspace: Workspace,
    name: str,
    lines: Iterable[str],
    held_out_fraction: float = 0.1,
    is_skipping_malformed: bool = False,
    user: User | None = None,
) -> PairImport:
    """Import a file of pairs as the closed campaign `name`, all or nothing; importing it again adds nothing.

    Raises `ImportRefused` with every malformed line; with `is_skipping_malformed` only if no line is usable.
    """
    pairs, problems = parse_pairs(lines)
    if not pairs or (problems and not is_skipping_malformed):
        raise ImportRefused(problems or [(1, "the file holds no pair; expected one JSON object a line")])
    with transaction.atomic():
        prompt_set = _prompt_set(workspace, name, held_out_fraction)
        campaign = _campaign(workspace, name, user)
        annotator = _annotator(campaign)
        groups = _groups(_prompts(prompt_set, pairs), pairs)
        new = create_comparisons(campaign=campaign, groups=[group for group, _ in groups])
        _judge(annotator, new, {group.fingerprint: chosen for group, chosen in groups})
        Campaign.objects.filter(pk=campaign.pk).update(status=Campaign.Status.CLOSED)
    campaign.refresh_from_db()
    return PairImport(
        campaign=campaign, prompt_set=prompt_set, num_pairs=len(new), num_known=len(pairs) - len(new), skipped=problems
    )


def _prompt_set(workspace: Workspace, name: str, held_out_fraction: float) -> PromptSet:
    known: PromptSet | None = PromptSet.objects.filter(workspace=workspace, name=name).first()
    if known is not None:
        return known
    return generation.create_prompt_set(
        workspace=workspace, name=name, source="imported preference pairs", held_out_fraction=held_out_fraction
    )


def _campaign(workspace: Workspace, name: str, user: User | None) -> Campaign:
    campaign, _ = Campaign.objects.get_or_create(
        workspace=workspace,
        name=name,
        defaults={
            "question": question.pairwise().to_json(),
            "guidelines": IMPORTED_GUIDELINES,
            "status": Campaign.Status.CLOSED,
            "created_by": user,
        },
    )
    if campaign.guidelines != IMPORTED_GUIDELINES:
        raise ImportConflict(f"{name!r} is a campaign with judgments of its own; import the file under another name.")
    return campaign


def _annotator(campaign: Campaign) -> Annotator:
    annotator, _ = Annotator.objects.get_or_create(
        workspace=campaign.workspace, name=f"Labels of {campaign.name}", defaults={"kind": Annotator.Kind.IMPORTED}
    )
    Enrolment.objects.get_or_create(campaign=campaign, annotator=annotator, defaults={"is_active": False})
    return annotator


def _prompts(prompt_set: PromptSet, pairs: Sequence[PreferencePair]) -> dict[str, Prompt]:
    generation.add_prompts(prompt_set=prompt_set, prompts=[NewPrompt(messages=pair.messages) for pair in pairs])
    return {prompt.fingerprint: prompt for prompt in prompt_set.prompts.all()}


def _groups(prompts: dict[str, Prompt], pairs: Sequence[PreferencePair]) -> list[tuple[NewComparison, str]]:
    """A comparison for each pair, with its chosen text. Candidates are in the order of their texts' hashes, so that
    the position says nothing about which one was chosen."""
    rows = [(prompts[fingerprint(pair.messages)], pair) for pair in pairs]
    completions = _completions(prompts, rows)
    return [
        (
            NewComparison(
                prompt=prompt,
                completions=[completions[prompt.pk, text] for text in sorted((pair.chosen, pair.rejected), key=_hash)],
            ),
            pair.chosen,
        )
        for prompt, pair in rows
    ]


def _completions(
    prompts: dict[str, Prompt], rows: Sequence[tuple[Prompt, PreferencePair]]
) -> dict[tuple[int, str], Completion]:
    """The imported completion of each (prompt, text), made where it is missing."""
    imported = Completion.objects.filter(prompt__in=prompts.values(), origin=Completion.Origin.IMPORTED)
    known = {(completion.prompt_id, completion.text): completion for completion in imported}
    wanted = {(prompt.pk, text): prompt for prompt, pair in rows for text in (pair.chosen, pair.rejected)}
    new = [
        Completion(prompt=prompt, text=text, origin=Completion.Origin.IMPORTED)
        for (pk, text), prompt in wanted.items()
        if (pk, text) not in known
    ]
    for completion in Completion.objects.bulk_create(new, batch_size=BATCH):
        known[completion.prompt_id, completion.text] = completion
    return known


def _judge(annotator: Annotator, comparisons: Sequence[Comparison], chosen_texts: dict[str, str]) -> None:
    """One judgment of each new comparison, on its only slot."""
    slots = {slot.comparison_id: slot for slot in Slot.objects.filter(comparison__in=comparisons)}
    positions = _positions(comparisons)
    now = timezone.now()
    for slot in slots.values():
        slot.annotator, slot.judged_at, slot.display_order = annotator, now, [0, 1]
    Slot.objects.bulk_update(slots.values(), ["annotator", "judged_at", "display_order"], batch_size=BATCH)
    Judgment.objects.bulk_create(
        [
            Judgment(
                slot=slots[comparison.pk],
                comparison=comparison,
                annotator=annotator,
                answer={"tiers": [[winner], [1 - winner]]},
                display_order=[0, 1],
                idempotency_key=str(uuid.uuid4()),
            )
            for comparison in comparisons
            for winner in [positions[comparison.pk, chosen_texts[comparison.fingerprint]]]
        ],
        batch_size=BATCH,
    )


def _positions(comparisons: Sequence[Comparison]) -> dict[tuple[int, str], int]:
    """The canonical position of each (comparison, text)."""
    candidates = Candidate.objects.filter(comparison__in=comparisons)
    rows = candidates.values_list("comparison_id", "completion__text", "position")
    return {(comparison, text): position for comparison, text, position in rows}


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
