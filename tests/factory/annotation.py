"""Campaigns, slots, judgments and datasets for tests."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import pyarrow as pa
from django.utils import timezone

from accounts.models import User, Workspace
from annotation import campaign_versions, export, judge_versions, training_exports
from annotation import question as questions
from annotation.judge_items import work_on_comparisons
from annotation.judges import spec_of
from annotation.judging import TextReply, combine, plan, read
from annotation.llm_judging import verdict_columns
from annotation.models import (
    Alert,
    Annotator,
    Campaign,
    Candidate,
    Comparison,
    Consensus,
    ConsensusRun,
    Dataset,
    Enrolment,
    JudgeCall,
    JudgeVerdict,
    JudgingRun,
    Judgment,
    Routing,
    Skip,
    Slot,
)
from annotation.question import Question
from core.models import Job
from generation.models import Completion, Prompt
from tests.factory.columns import demonstration_rows, job_columns, label_rows, preference_rows, ranking_rows
from tests.factory.generation import Generation


class Annotation(Generation):
    """Rows of the annotation app."""

    def campaign(
        self,
        name: str | None = None,
        *,
        question: Question | None = None,
        overlap: int = 1,
        status: str = Campaign.Status.OPEN,
        num_comparisons: int = 0,
        annotators: Sequence[User | Annotator] | None = None,
        workspace: Workspace | None = None,
        **fields: Any,
    ) -> Campaign:
        """An open pairwise campaign with Bob enrolled and `num_comparisons` comparisons of two sampled replies."""
        workspace = workspace or self.workspace()
        campaign = Campaign.objects.create(
            workspace=workspace,
            name=name or self._name("campaign"),
            question=(question or questions.pairwise()).to_json(),
            overlap=overlap,
            status=status,
            **fields,
        )
        for annotator in [self.bob()] if annotators is None else annotators:
            self.enrolment(campaign, annotator)
        if num_comparisons:
            prompts = self.prompt_set(num_prompts=num_comparisons, workspace=workspace).prompts.all()
            for prompt in prompts:
                self.comparison(campaign, prompt)
        return campaign

    def quality_records(self, campaign: Campaign) -> None:
        """A version of the question and of the guidelines, a skip, an alert, and a consensus about one comparison."""
        campaign_versions.keep(campaign, None)
        comparison, annotator = campaign.comparisons.earliest("pk"), self.person()
        Skip.objects.create(campaign=campaign, comparison=comparison, annotator=annotator, reason="too long")
        Alert.objects.create(campaign=campaign, annotator=annotator, kind="gold", message="Two of ten gold items.")
        run = ConsensusRun.objects.create(campaign=campaign, method="majority", **job_columns("finished"))
        Consensus.objects.create(run=run, comparison=comparison, tiers=[[0], [1]], confidence=0.9)

    def person(self, user: User | None = None, workspace: Workspace | None = None) -> Annotator:
        """The user (Bob) as an annotator."""
        user, workspace = user or self.bob(), workspace or self.workspace()
        return Annotator.objects.get_or_create(
            workspace=workspace, user=user, defaults={"kind": Annotator.Kind.PERSON, "name": user.username}
        )[0]

    def judge(self, name: str | None = None, *, workspace: Workspace | None = None, **parameters: Any) -> Annotator:
        """A scripted rubric judge."""
        return Annotator.objects.create(
            workspace=workspace or self.workspace(),
            kind=Annotator.Kind.JUDGE,
            name=name or self._name("judge"),
            protocol="rubric",
            parameters=parameters or {"strictness": "strict"},
        )

    def llm_judge(
        self,
        name: str | None = None,
        *,
        url: str = "https://models.example.org/v1",
        protocol: str = "pairwise_verdict",
        workspace: Workspace | None = None,
        **parameters: Any,
    ) -> Annotator:
        """A judge with version 1, served at `url`; a million tokens cost 2 for prompts and 8 for replies."""
        workspace = workspace or self.workspace()
        return judge_versions.create_llm_judge(
            workspace=workspace,
            name=name or self._name("judge"),
            protocol=protocol,
            model=self.model(workspace=workspace, source="served", endpoint_url=url),
            parameters=parameters,
            prompt_price=2,
            reply_price=8,
        )

    def judge_records(self, campaign: Campaign | None = None) -> JudgingRun:
        """A finished run of an LLM judge with one call and its verdict, in a routed campaign."""
        campaign = campaign or self.campaign(num_comparisons=1)
        judge, comparison = self.llm_judge(workspace=campaign.workspace), campaign.comparisons.earliest("pk")
        self.enrolment(campaign, judge)
        version = judge.versions.get()
        run = JudgingRun.objects.create(
            campaign=campaign, annotator=judge, version=version, **job_columns(Job.Status.FINISHED)
        )
        [work] = work_on_comparisons([comparison.pk], question=questions.pairwise(), question_version=1)
        calls = plan(spec_of(version), work.item, 0)
        for number, (call, letter) in enumerate(zip(calls, "AB", strict=True)):
            JudgeCall.objects.create(
                run=run,
                version=version,
                comparison=comparison,
                call=call.to_json(),
                key=f"{run.pk} {number}",
                display_order=list(call.display_order),
                reply=letter,
                finish_reason="stop",
                outcome="verdict",
                num_prompt_tokens=500,
                num_tokens=1,
                cost="0.001008",
            )
        outcomes = [(call, read(call, TextReply(text=letter))) for call, letter in zip(calls, "AB", strict=True)]
        judged = combine(spec_of(version), work.item, outcomes)
        JudgeVerdict.objects.create(run=run, version=version, comparison=comparison, **verdict_columns(judged))
        Routing.objects.create(campaign=campaign, judge=judge, min_margin=0.2)
        return run

    def enrolment(self, campaign: Campaign, annotator: User | Annotator) -> Enrolment:
        """The annotator's place in the campaign, its guidelines read."""
        if isinstance(annotator, User):
            annotator = self.person(annotator, campaign.workspace)
        read = {"acknowledged_version": campaign.guideline_version}
        return Enrolment.objects.get_or_create(campaign=campaign, annotator=annotator, defaults=read)[0]

    def comparison(
        self, campaign: Campaign, prompt: Prompt | None = None, *, completions: Sequence[Completion] | None = None
    ) -> Comparison:
        """A comparison with as many candidates as the question wants and as many slots as the overlap."""
        prompt = prompt or self.prompt(self.prompt_set(workspace=campaign.workspace))
        if completions is None:
            texts = [f"reply {next(self._numbers)}" for _ in range(campaign.question["num_completions"])]
            completions = self.completions(prompt, texts, model=self.model(workspace=campaign.workspace))
        comparison = Comparison.objects.create(
            campaign=campaign,
            prompt=prompt,
            num_completions=len(completions),
            fingerprint=_fingerprint(prompt, completions),
        )
        Candidate.objects.bulk_create(
            Candidate(comparison=comparison, completion=completion, position=position)
            for position, completion in enumerate(completions)
        )
        Slot.objects.bulk_create(
            Slot(campaign=campaign, comparison=comparison, number=number, pair_key=comparison.pair_key)
            for number in range(campaign.overlap)
        )
        return comparison

    def slot(self, campaign: Campaign | None = None) -> Slot:
        """A free slot of a new comparison."""
        return self.comparison(campaign or self.campaign()).slots.earliest("number")

    def leased_slot(self, campaign: Campaign | None = None, annotator: Annotator | None = None) -> Slot:
        """A slot that the annotator (Bob) holds for ten minutes, shown in reverse order."""
        slot = self.slot(campaign)
        annotator = annotator or self.person(workspace=slot.campaign.workspace)
        self.enrolment(slot.campaign, annotator)
        slot.annotator, slot.token = annotator, uuid.uuid4()
        slot.leased_until = timezone.now() + timedelta(minutes=10)
        slot.display_order = list(range(slot.comparison.num_completions))[::-1]
        slot.save()
        return slot

    def judgment(
        self,
        slot: Slot | None = None,
        annotator: Annotator | None = None,
        *,
        tiers: Sequence[Sequence[int]] | None = None,
        **fields: Any,
    ) -> Judgment:
        """The annotator's (Bob's) answer; `tiers` speak of positions, by default in their order: [[0], [1]]."""
        slot = slot or self.slot()
        annotator = annotator or self.person(workspace=slot.campaign.workspace)
        self.enrolment(slot.campaign, annotator)
        order = list(range(slot.comparison.num_completions))
        slot.annotator, slot.judged_at, slot.display_order = annotator, timezone.now(), order
        slot.save()
        return Judgment.objects.create(
            slot=slot,
            comparison=slot.comparison,
            annotator=annotator,
            purpose=slot.purpose,
            answer={"tiers": [list(tier) for tier in tiers or [[index] for index in order]]},
            display_order=order,
            idempotency_key=str(uuid.uuid4()),
            **fields,
        )

    def judged_campaign(self, *, num_comparisons: int = 4, judges: int = 2, **fields: Any) -> Campaign:
        """A campaign in which two judges have answered everything and disagree about the last comparison."""
        annotators = [self.judge() for _ in range(judges)]
        campaign = self.campaign(
            num_comparisons=num_comparisons, overlap=judges, annotators=[*annotators, self.bob()], **fields
        )
        last = campaign.comparisons.latest("pk")
        for slot in campaign.slots.order_by("comparison", "number"):
            order = [[index] for index in range(slot.comparison.num_completions)]
            is_odd_one = slot.comparison_id == last.pk and slot.number == judges - 1
            self.judgment(slot, annotators[slot.number], tiers=order[::-1] if is_odd_one else order, total_ms=4000)
        return campaign

    def judging_run(self, campaign: Campaign | None = None, *, status: str = Job.Status.FINISHED) -> JudgingRun:
        """A judge's pass over a campaign."""
        campaign = campaign or self.campaign()
        judge = self.judge(workspace=campaign.workspace)
        self.enrolment(campaign, judge)
        return JudgingRun.objects.create(campaign=campaign, annotator=judge, **job_columns(status))

    def consensus_run(
        self, campaign: Campaign | None = None, *, method: str = "majority", status: str = Job.Status.FINISHED
    ) -> ConsensusRun:
        """An aggregation of a judged campaign, without rows."""
        campaign = campaign or self.judged_campaign()
        return ConsensusRun.objects.create(campaign=campaign, method=method, **job_columns(status))

    def dataset(
        self,
        name: str | None = None,
        *,
        rows: Sequence[dict[str, Any]] | None = None,
        status: str = Job.Status.FINISHED,
        campaigns: Sequence[Campaign] = (),
        workspace: Workspace | None = None,
        **fields: Any,
    ) -> Dataset:
        """A dataset of preference pairs; a finished one has both files and their hashes."""
        dataset = Dataset(
            workspace=workspace or self.workspace(),
            name=name or self._name("dataset"),
            **{**job_columns(status), **fields},
        )
        if status != Job.Status.FINISHED:
            dataset.save()
        else:
            _freeze(dataset, rows)
        dataset.campaigns.set(campaigns)
        return dataset


LAYOUTS: dict[str, tuple[Callable[[int], list[dict[str, Any]]], pa.Schema]] = {
    Dataset.Kind.PREFERENCES: (preference_rows, export.PREFERENCE_SCHEMA),
    Dataset.Kind.RANKINGS: (ranking_rows, training_exports.RANKING_SCHEMA),
    Dataset.Kind.LABELS: (label_rows, training_exports.LABEL_SCHEMA),
    Dataset.Kind.DEMONSTRATIONS: (demonstration_rows, export.DEMONSTRATION_SCHEMA),
}


def _freeze(dataset: Dataset, rows: Sequence[dict[str, Any]] | None) -> None:
    """Write both files of a finished dataset; its folder is named by its id, so the row comes first, unfinished."""
    dataset.status = Job.Status.QUEUED
    dataset.save()
    make_rows, schema = LAYOUTS[dataset.kind]
    rows = rows or make_rows(8)
    dataset.sha256, dataset.jsonl_sha256 = export.write_files(dataset.folder, rows, schema)
    dataset.status, dataset.num_rows = Job.Status.FINISHED, len(rows)
    dataset.save()


def _fingerprint(prompt: Prompt, completions: Sequence[Completion]) -> str:
    """Of the completions; where a demonstration shows none, of the prompt."""
    ids = sorted(completion.pk for completion in completions) or f"prompt {prompt.pk}"
    return hashlib.sha256(json.dumps(ids).encode()).hexdigest()
