"""Rows for tests. Alice manages the workspace, Bob labels in it, Dana is its engineer, Charlie manages another one.

Every method has working defaults and calls the others for what it was not given, so a test names only what matters
to it. Rows that services make quickly come from services; runs that would take a worker are written as finished.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

from django.utils import timezone

from accounts import services as accounts
from accounts.models import Membership, User, Workspace
from annotation import export
from annotation import question as questions
from annotation.models import (
    Annotator,
    Campaign,
    Candidate,
    Comparison,
    Dataset,
    Enrolment,
    JudgingRun,
    Judgment,
    Slot,
)
from annotation.question import Question
from core.models import Job
from evaluation.models import EvaluationResult, EvaluationRun
from generation import services as generation
from generation.models import Completion, LanguageModel, Prompt, PromptSet, SamplingArm, SamplingRun
from pipeline.models import PipelineRun, PipelineStep
from training.models import Checkpoint, Metric, SampleText, TrainingRun

PASSWORD = "correct-horse-battery-42"
STARTED_AT = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)


class Factory:
    """`factory.campaign()` is an open pairwise campaign in Alice's workspace with Bob enrolled, and so on."""

    def __init__(self) -> None:
        self._numbers = count(1)

    # People and workspaces

    def workspace(self, name: str = "Acme") -> Workspace:
        """The workspace of that name: made once, then the same."""
        return Workspace.objects.filter(name=name).first() or accounts.create_workspace(name=name)

    def user(self, name: str, *, role: str | None = None, workspace: Workspace | None = None) -> User:
        """The user of that name, with a role in the workspace if one is given. The password is `PASSWORD`."""
        user = User.objects.filter(username=name).first()
        if user is None:
            user = User.objects.create_user(name, email=f"{name}@example.org", password=PASSWORD)
        if role is not None:
            accounts.grant_role(user=user, workspace=workspace or self.workspace(), role=role)
        return user

    def alice(self) -> User:
        """Manages the workspace."""
        return self.user("alice", role=Membership.Role.MANAGER)

    def bob(self) -> User:
        """Labels in the workspace."""
        return self.user("bob", role=Membership.Role.LABELER)

    def dana(self) -> User:
        """The workspace's engineer."""
        return self.user("dana", role=Membership.Role.ENGINEER)

    def charlie(self) -> User:
        """Manages another workspace, and must see nothing of this one."""
        return self.user("charlie", role=Membership.Role.MANAGER, workspace=self.workspace("Elsewhere"))

    def admin(self) -> User:
        """Sees everything."""
        return User.objects.filter(username="root").first() or User.objects.create_superuser("root", password=PASSWORD)

    # Prompts, models, completions

    def prompt_set(
        self, name: str | None = None, *, num_prompts: int = 0, workspace: Workspace | None = None, **fields: Any
    ) -> PromptSet:
        """A prompt set, with `num_prompts` prompts."""
        prompt_set = generation.create_prompt_set(
            workspace=workspace or self.workspace(), name=name or self._name("prompts"), **fields
        )
        self.prompts(prompt_set, num_prompts)
        return prompt_set

    def prompts(self, prompt_set: PromptSet, num_prompts: int) -> list[Prompt]:
        """New one-turn prompts of the set."""
        numbers = [next(self._numbers) for _ in range(num_prompts)]
        if numbers:
            lines = [json.dumps({"prompt": f"What is {n} plus 1?", "reference": str(n + 1)}) for n in numbers]
            generation.import_prompts(prompt_set=prompt_set, lines=lines)
        return list(prompt_set.prompts.order_by("-pk")[:num_prompts])[::-1]

    def prompt(self, prompt_set: PromptSet | None = None) -> Prompt:
        return self.prompts(prompt_set or self.prompt_set(), 1)[0]

    def model(
        self,
        name: str | None = None,
        *,
        kind: str = LanguageModel.Kind.POLICY,
        location: str | Path | None = None,
        workspace: Workspace | None = None,
        **fields: Any,
    ) -> LanguageModel:
        """A registered model; its folder need not exist."""
        name = name or self._name("model")
        fields.setdefault("source", LanguageModel.Source.FOLDER)
        return LanguageModel.objects.create(
            workspace=workspace or self.workspace(),
            name=name,
            kind=kind,
            location=str(location or f"/x/{name}"),
            **fields,
        )

    def sampling_run(
        self,
        prompt_set: PromptSet | None = None,
        *,
        models: Sequence[LanguageModel] | None = None,
        num_completions: int = 2,
        status: str = Job.Status.FINISHED,
        split: str = SamplingRun.Split.ALL,
    ) -> SamplingRun:
        """A sampling run of the set's prompts; a finished one has its completions, all different."""
        prompt_set = prompt_set or self.prompt_set(num_prompts=3)
        run = SamplingRun.objects.create(
            workspace=prompt_set.workspace,
            name=self._name("sampling"),
            prompt_set=prompt_set,
            split=split,
            **_job(status),
        )
        for model in models or [self.model(workspace=prompt_set.workspace)]:
            SamplingArm.objects.create(run=run, model=model, num_completions=num_completions)
            if status == Job.Status.FINISHED:
                self._sample(run, model, num_completions)
        return run

    def completions(
        self,
        prompt: Prompt,
        texts: Sequence[str] = ("a good reply", "a poor reply"),
        *,
        model: LanguageModel | None = None,
    ) -> list[Completion]:
        """Completions of one prompt with these texts: sampled if a model is given, imported otherwise."""
        if model is None:
            return [
                Completion.objects.create(prompt=prompt, origin=Completion.Origin.IMPORTED, index=index, text=text)
                for index, text in enumerate(texts)
            ]
        run = self.sampling_run(prompt.prompt_set, models=[model], status=Job.Status.RUNNING)
        return [self._completion(run, prompt, model, index=index, text=text) for index, text in enumerate(texts)]

    # Campaigns, slots, judgments

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

    def enrolment(self, campaign: Campaign, annotator: User | Annotator) -> Enrolment:
        """The annotator's place in the campaign."""
        if isinstance(annotator, User):
            annotator = self.person(annotator, campaign.workspace)
        return Enrolment.objects.get_or_create(campaign=campaign, annotator=annotator)[0]

    def comparison(
        self, campaign: Campaign, prompt: Prompt | None = None, *, completions: Sequence[Completion] | None = None
    ) -> Comparison:
        """A comparison with as many candidates as the question wants and as many slots as the overlap."""
        prompt = prompt or self.prompt(self.prompt_set(workspace=campaign.workspace))
        if completions is None:
            texts = [f"reply {next(self._numbers)}" for _ in range(campaign.question["num_completions"])]
            completions = self.completions(prompt, texts, model=self.model(workspace=campaign.workspace))
        comparison = Comparison.objects.create(
            campaign=campaign, prompt=prompt, num_completions=len(completions), fingerprint=_fingerprint(completions)
        )
        Candidate.objects.bulk_create(
            Candidate(comparison=comparison, completion=completion, position=position)
            for position, completion in enumerate(completions)
        )
        Slot.objects.bulk_create(
            Slot(campaign=campaign, comparison=comparison, number=number) for number in range(campaign.overlap)
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
        return JudgingRun.objects.create(campaign=campaign, annotator=judge, **_job(status))

    # Datasets, training, evaluation, pipelines

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
            workspace=workspace or self.workspace(), name=name or self._name("dataset"), **{**_job(status), **fields}
        )
        if status != Job.Status.FINISHED:
            dataset.save()
        else:
            _freeze(dataset, rows)
        dataset.campaigns.set(campaigns)
        return dataset

    def training_run(
        self,
        name: str | None = None,
        *,
        algorithm: str = TrainingRun.Algorithm.REWARD,
        status: str = Job.Status.FINISHED,
        num_steps: int = 5,
        workspace: Workspace | None = None,
        **fields: Any,
    ) -> TrainingRun:
        """A training run with `num_steps` metric rows, an evaluation, a sample text and, if finished, a checkpoint."""
        workspace = workspace or self.workspace()
        fields = {**self._training_inputs(algorithm, workspace), **fields}
        run = TrainingRun.objects.create(
            workspace=workspace, name=name or self._name("training"), algorithm=algorithm, **{**_job(status), **fields}
        )
        if status != Job.Status.QUEUED and num_steps:
            self.metrics(run, num_steps)
            Metric.objects.create(
                run=run, kind="evaluation", step=num_steps, values={"held_out_accuracy": 0.75}, recorded_at=STARTED_AT
            )
            SampleText.objects.create(run=run, step=num_steps, prompt="What is 1 plus 1?", text="2")
        if status == Job.Status.FINISHED:
            self.checkpoint(run, step=max(1, num_steps))
        return run

    def metrics(self, run: TrainingRun, num_steps: int, *, first: int = 1) -> list[Metric]:
        """Metric rows whose loss falls."""
        return Metric.objects.bulk_create(
            Metric(
                run=run,
                kind=Metric.Kind.STEP,
                step=step,
                values={"loss": 1 / step, "accuracy": 1 - 0.5 / step},
                recorded_at=STARTED_AT + timedelta(seconds=step),
            )
            for step in range(first, first + num_steps)
        )

    def checkpoint(self, run: TrainingRun, *, step: int = 1, is_final: bool = True) -> Checkpoint:
        """A checkpoint row; its folder need not exist."""
        path = f"checkpoints/step-{step:06d}"
        return Checkpoint.objects.create(run=run, step=step, path=path, manifest_sha256="0" * 64, is_final=is_final)

    def evaluation(
        self,
        name: str | None = None,
        *,
        kind: str = EvaluationRun.Kind.WIN_RATE,
        status: str = Job.Status.FINISHED,
        workspace: Workspace | None = None,
    ) -> EvaluationRun:
        """A win rate (or an accuracy) of one model; a finished one has its result: 0.62 from 0.55 to 0.69."""
        workspace = workspace or self.workspace()
        baseline, subject = self.model(workspace=workspace), self.model(workspace=workspace)
        inputs: dict[str, Any] = {"dataset": self.dataset(workspace=workspace)}
        if kind == EvaluationRun.Kind.WIN_RATE:
            prompt_set = self.prompt_set(num_prompts=2, workspace=workspace)
            run = self.sampling_run(prompt_set, models=[baseline, subject])
            inputs = {"sampling_run": run, "judge": self.judge(workspace=workspace), "baseline": baseline}
        evaluation = EvaluationRun.objects.create(
            workspace=workspace, name=name or self._name("evaluation"), kind=kind, **inputs, **_job(status)
        )
        evaluation.subjects.add(subject)
        if status == Job.Status.FINISHED:
            metric = "win_rate" if kind == EvaluationRun.Kind.WIN_RATE else "accuracy"
            EvaluationResult.objects.create(
                run=evaluation,
                model=subject,
                metric=metric,
                value=0.62,
                low=0.55,
                high=0.69,
                num_prompts=2,
                num_items=4,
            )
        return evaluation

    def pipeline(
        self, name: str | None = None, *, status: str = PipelineRun.Status.RUNNING, workspace: Workspace | None = None
    ) -> PipelineRun:
        """A pipeline run with one finished and one running step."""
        run = PipelineRun.objects.create(
            workspace=workspace or self.workspace(), name=name or self._name("pipeline"), status=status
        )
        for number, (key, step_status) in enumerate([("prompts", "finished"), ("sft", "running")]):
            PipelineStep.objects.create(
                pipeline_run=run,
                number=number,
                key=key,
                title=key.capitalize(),
                status=step_status,
                summary=f"{key} done",
            )
        return run

    # Inside

    def _name(self, noun: str) -> str:
        return f"{noun} {next(self._numbers)}"

    def _sample(self, run: SamplingRun, model: LanguageModel, num_completions: int) -> None:
        for prompt in run.prompt_set.prompts.in_split(run.split, held_out_fraction=run.prompt_set.held_out_fraction):
            for index in range(num_completions):
                self._completion(run, prompt, model, index=index, text=f"It is {next(self._numbers)}.")

    def _completion(
        self, run: SamplingRun, prompt: Prompt, model: LanguageModel, *, index: int, text: str
    ) -> Completion:
        return Completion.objects.create(
            prompt=prompt,
            origin=Completion.Origin.SAMPLED,
            sampling_run=run,
            model=model,
            index=index,
            text=text,
            finish_reason="stop",
            num_tokens=4,
        )

    def _training_inputs(self, algorithm: str, workspace: Workspace) -> dict[str, Any]:
        if algorithm == TrainingRun.Algorithm.SFT:
            return {"dataset": self.dataset(workspace=workspace, kind=Dataset.Kind.DEMONSTRATIONS)}
        inputs: dict[str, Any] = {"init_model": self.model(workspace=workspace)}
        if algorithm == TrainingRun.Algorithm.PPO:
            reward_model = self.model(kind=LanguageModel.Kind.REWARD, workspace=workspace)
            return {**inputs, "prompt_set": self.prompt_set(workspace=workspace), "reward_model": reward_model}
        return {**inputs, "dataset": self.dataset(workspace=workspace)}


def preference_rows(num_rows: int) -> list[dict[str, Any]]:
    """Rows of a preference dataset, every fourth one held out."""
    return [
        {
            **_prompt_columns(n),
            "chosen": str(n + 1),
            "rejected": str(n + 2),
            "chosen_id": 2 * n + 1,
            "rejected_id": 2 * n + 2,
            "votes_chosen": 2,
            "votes_rejected": 0,
            "votes_tied": 0,
            "p_chosen": 1.0,
            "weight": 1.0,
            "judgment_ids": [n + 1],
            "annotators": ["somebody"],
        }
        for n in range(num_rows)
    ]


def demonstration_rows(num_rows: int) -> list[dict[str, Any]]:
    """Rows of a dataset of demonstrations, every fourth one held out."""
    return [
        {**_prompt_columns(n), "completion": str(n + 1), "completion_id": None, "judgment_ids": []}
        for n in range(num_rows)
    ]


def _prompt_columns(number: int) -> dict[str, Any]:
    return {
        "group_id": hashlib.sha256(str(number).encode()).hexdigest(),
        "split": "held_out" if number % 4 == 3 else "train",
        "prompt": json.dumps([{"role": "user", "content": f"What is {number} plus 1?"}]),
    }


def _freeze(dataset: Dataset, rows: Sequence[dict[str, Any]] | None) -> None:
    """Write both files of a finished dataset; its folder is named by its id, so the row comes first, unfinished."""
    dataset.status = Job.Status.QUEUED
    dataset.save()
    if dataset.kind == Dataset.Kind.PREFERENCES:
        rows, schema = rows or preference_rows(8), export.PREFERENCE_SCHEMA
    else:
        rows, schema = rows or demonstration_rows(8), export.DEMONSTRATION_SCHEMA
    dataset.sha256, dataset.jsonl_sha256 = export.write_files(dataset.folder, rows, schema)
    dataset.status, dataset.num_rows = Job.Status.FINISHED, len(rows)
    dataset.save()


def _fingerprint(completions: Sequence[Completion]) -> str:
    return hashlib.sha256(json.dumps(sorted(completion.pk for completion in completions)).encode()).hexdigest()


def _job(status: str) -> dict[str, Any]:
    """The columns of a job in this state."""
    columns: dict[str, Any] = {"status": status, "queued_at": STARTED_AT}
    if status != Job.Status.QUEUED:
        columns |= {"attempt": 1, "claimed_by": "host:1", "started_at": STARTED_AT, "num_done": 5, "num_total": 10}
        columns["heartbeat_at"] = timezone.now()
    if status in {Job.Status.FINISHED, Job.Status.FAILED, Job.Status.CANCELLED}:
        columns |= {"finished_at": STARTED_AT + timedelta(minutes=2), "num_done": 10}
    if status == Job.Status.FAILED:
        columns |= {"failure_kind": "data_error", "error": "Row 3 has no text."}
    return columns
