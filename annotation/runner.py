"""Carries out judging runs and freezes datasets."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa
from django.db import transaction

from annotation import export, queue, training_exports
from annotation.dataset_filter import DatasetFilter
from annotation.export import NothingToFreeze
from annotation.judges import PANEL, check_can_answer, rubric_judge
from annotation.models import Candidate, Dataset, JudgingRun, Slot
from annotation.question import Question
from core import jobs

BATCH = 50  # slots that a judge claims and answers together


def judge(run: JudgingRun) -> None:
    """Carry out a judging run by what the judge is: a version with a model, a panel, or a scripted rubric."""
    question = Question.from_json(run.campaign.question)
    check_can_answer(run.annotator, question)
    if run.version is not None:
        from annotation import llm_judging

        works = {"calibrate": llm_judging.calibrate, "attack": llm_judging.attack}
        works.get(run.kind, llm_judging.answer_slots)(run, run.version)
    elif run.annotator.protocol == PANEL:
        from annotation import panel_judging

        panel_judging.answer_slots(run)
    else:
        _judge_by_rubric(run, question)


def _judge_by_rubric(run: JudgingRun, question: Question) -> None:
    """Answer every slot that the judge can get, like a person: claim, read what is displayed, submit."""
    scripted = rubric_judge(run.annotator)
    num_open = run.campaign.comparisons.exclude(judgments__annotator=run.annotator).count()
    jobs.beat(run, num_done=0, num_total=num_open)
    num_done = 0
    while slots := queue.claim_slots(campaign=run.campaign, annotator=run.annotator, limit=BATCH):
        answers_of = {pk: scripted.answer(reference, texts, question) for pk, reference, texts in _displayed(slots)}
        num_done += queue.submit_judgments(
            annotator=run.annotator, answers_of=answers_of, key_prefix=f"run-{run.pk}-slot"
        )
        jobs.beat(run, num_done=num_done)
    jobs.beat(run, num_done=num_done, num_total=num_done)


def _displayed(slots: Sequence[Slot]) -> Iterator[tuple[int, str, list[str]]]:
    """Of each slot its id, the prompt's reference answer, and the replies in the order shown."""
    candidates = Candidate.objects.filter(comparison__in=[slot.comparison_id for slot in slots])
    texts: dict[int, list[str]] = defaultdict(list)
    references: dict[int, str] = {}
    for comparison, text, reference in candidates.order_by("comparison", "position").values_list(
        "comparison_id", "completion__text", "comparison__prompt__reference"
    ):
        texts[comparison].append(text)
        references[comparison] = reference
    for slot in slots:
        shown = [texts[slot.comparison_id][position] for position in slot.display_order]
        yield slot.pk, references[slot.comparison_id], shown


def freeze(dataset: Dataset) -> None:
    """Write the dataset's files and record what they hold. Raises `NothingToFreeze`."""
    rows, schema = _rows(dataset)
    if not rows:
        raise NothingToFreeze(
            f"No row of {dataset} is left: every pair is tied or filtered out, or nothing has been judged yet."
        )
    jobs.beat(dataset, num_done=0, num_total=len(rows))
    sha256, jsonl_sha256 = export.write_files(dataset.folder, rows, schema)
    with transaction.atomic():
        jobs.renew(dataset, num_done=len(rows))
        dataset.sha256, dataset.jsonl_sha256 = sha256, jsonl_sha256
        dataset.num_rows, dataset.counts = len(rows), _counts(rows)
        dataset.save(update_fields=["sha256", "jsonl_sha256", "num_rows", "counts"])


def _rows(dataset: Dataset) -> tuple[list[dict[str, Any]], pa.Schema]:
    chosen = DatasetFilter.from_json(dataset.filter)
    campaigns = list(dataset.campaigns.all())
    if dataset.kind == Dataset.Kind.PREFERENCES:
        return export.preference_rows(campaigns, chosen), export.PREFERENCE_SCHEMA
    if dataset.kind == Dataset.Kind.RANKINGS:
        return training_exports.ranking_rows(campaigns, chosen), training_exports.RANKING_SCHEMA
    if dataset.kind == Dataset.Kind.LABELS:
        return training_exports.label_rows(campaigns, chosen), training_exports.LABEL_SCHEMA
    if dataset.prompt_set is not None:
        return export.demonstration_rows(dataset.prompt_set), export.DEMONSTRATION_SCHEMA
    return export.best_completion_rows(campaigns, chosen), export.DEMONSTRATION_SCHEMA


def _counts(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """What the dataset page shows: rows and prompts by split, judgments, annotators."""
    prompts = {(row["split"], row["group_id"]) for row in rows}
    return {
        "rows": dict(Counter(row["split"] for row in rows)),
        "prompts": dict(Counter(split for split, _ in prompts)),
        "judgments": len({pk for row in rows for pk in row["judgment_ids"]}),
        "annotators": len({name for row in rows for name in row.get("annotators", [])}),
    }
