"""Prompts, models and completions for tests."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from django.utils import timezone

from accounts.models import Workspace
from core.models import Job
from generation import services as generation
from generation.candidate_marking import mark_candidates
from generation.constitutions.principles import EXAMPLE, principles_to_json
from generation.guards.rules import DEFAULT_RULES, rules_to_json
from generation.models import (
    Completion,
    Constitution,
    EndpointCheck,
    GuardRun,
    GuardVerdict,
    LanguageModel,
    Prompt,
    PromptSet,
    RevisionRun,
    SamplingArm,
    SamplingFailure,
    SamplingRun,
    ScoringRun,
    ServingRun,
)
from generation.prompt_lines import NewPrompt
from tests.factory.columns import job_columns
from tests.factory.people import People


class Generation(People):
    """Rows of the generation app."""

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
            asked = [NewPrompt(messages=_asked(f"What is {n} plus 1?"), reference=str(n + 1)) for n in numbers]
            generation.add_prompts(prompt_set=prompt_set, prompts=asked)
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

    def endpoint_check(self, model: LanguageModel | None = None) -> EndpointCheck:
        """The server of a served model was well a moment ago."""
        model = model or self.model(source="served", location="tiny", endpoint_url="https://models.example.org/v1")
        return EndpointCheck.objects.create(
            model=model, checked_at=timezone.now(), is_up=True, found=["tiny", "other"], latency_ms=12.5
        )

    def serving_run(self, *, status: str = Job.Status.RUNNING, model: LanguageModel | None = None) -> ServingRun:
        """A server of a model."""
        model = model or self.model()
        return ServingRun.objects.create(
            workspace=model.workspace, name=f"{model} served", model=model, **job_columns(status)
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
            **job_columns(status),
        )
        for position, model in enumerate(models or [self.model(workspace=prompt_set.workspace)]):
            arm = SamplingArm.objects.create(run=run, position=position, model=model, num_completions=num_completions)
            if status == Job.Status.FINISHED:
                self._sample(arm)
        return run

    def sampling_failure(self, run: SamplingRun | None = None, *, kind: str = "ContextOverflow") -> SamplingFailure:
        """A prompt of the run, or of a new finished one, that its first arm could not answer."""
        run = run or self.sampling_run()
        arm, prompt = run.arms.get(position=0), self.prompt(run.prompt_set)
        return SamplingFailure.objects.create(
            run=run, arm=arm, prompt=prompt, kind=kind, message="the prompt has 9999 tokens", last_at=timezone.now()
        )

    def marked_run(self) -> SamplingRun:
        """A sampling run whose candidates are marked; one of them is a refusal."""
        run = self.sampling_run()
        first = run.completions.earliest("pk")
        Completion.objects.filter(pk=first.pk).update(text="I'm sorry, but I can't help with that.")
        mark_candidates(run)
        return run

    def guard_run(self, prompt_set: PromptSet | None = None, *, status: str = Job.Status.FINISHED) -> GuardRun:
        """A guard run by our rules over the prompts of a set; a finished one has flagged the first of them."""
        prompt_set = prompt_set or self.prompt_set(num_prompts=1)
        run = GuardRun.objects.create(
            workspace=prompt_set.workspace,
            name=self._name("guard"),
            prompt_set=prompt_set,
            rules=rules_to_json(DEFAULT_RULES),
            **job_columns(status),
        )
        if status == Job.Status.FINISHED:
            GuardVerdict.objects.create(run=run, prompt=prompt_set.prompts.first(), is_flagged=True, labels=["weapons"])
        return run

    def scoring_run(
        self,
        sampling_run: SamplingRun | None = None,
        status: str = Job.Status.FINISHED,
        *,
        values: Sequence[float] = (),
        members: Sequence[Sequence[float]] = (),
    ) -> ScoringRun:
        """A scoring run; a finished one has given its completions `values`, unless given 0, 1, 2 …

        `members` are the scores of an ensemble instead.
        """
        sampling_run = sampling_run or self.sampling_run()
        run = ScoringRun.objects.create(
            workspace=sampling_run.workspace,
            name=self._name("scoring"),
            sampling_run=sampling_run,
            reward_model=self.model(kind=LanguageModel.Kind.REWARD, workspace=sampling_run.workspace),
            **job_columns(status),
        )
        if status == Job.Status.FINISHED:
            completions = list(sampling_run.completions.order_by("pk"))
            said = members or [[value] for value in values or range(len(completions))]
            for completion, one in zip(completions, said, strict=True):
                run.scores.create(completion=completion, value=fmean(one), members=one if members else [])
        return run

    def constitution(self, *, workspace: Workspace | None = None) -> Constitution:
        """A constitution with the principles of our example."""
        constitution = Constitution.objects.create(
            workspace=workspace or self.workspace(), name=self._name("constitution")
        )
        constitution.versions.create(number=1, principles=principles_to_json(EXAMPLE))
        return constitution

    def revision_run(self, *, status: str = Job.Status.FINISHED) -> RevisionRun:
        """A revision run; a finished one has revised one reply once."""
        sampling_run, model = self.sampling_run(), self.model()
        version = self.constitution().versions.get()
        columns = job_columns(status)
        run = RevisionRun.objects.create(
            workspace=sampling_run.workspace,
            name=self._name("revision"),
            sampling_run=sampling_run,
            version=version,
            model=model,
            **columns,
        )
        original = sampling_run.completions.earliest("pk")
        if status == Job.Status.FINISHED:
            revised = Completion.objects.create(
                prompt=original.prompt, origin=Completion.Origin.REVISED, model=model, text="A better one."
            )
            run.revisions.create(
                original=original, parent=original, completion=revised, step=0, principle="Honest", critique="It lied."
            )
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
        arm = run.arms.get()
        return [self.sampled(arm, prompt, index=index, text=text) for index, text in enumerate(texts)]

    def _sample(self, arm: SamplingArm) -> None:
        prompt_set = arm.run.prompt_set
        for prompt in prompt_set.prompts.in_split(arm.run.split, held_out_fraction=prompt_set.held_out_fraction):
            for index in range(arm.num_completions):
                self.sampled(arm, prompt, index=index, text=f"It is {next(self._numbers)}.")

    def sampled(self, arm: SamplingArm, prompt: Prompt, *, index: int, text: str) -> Completion:
        """A completion of this arm."""
        return Completion.objects.create(
            prompt=prompt,
            origin=Completion.Origin.SAMPLED,
            sampling_run=arm.run,
            arm=arm,
            model=arm.model,
            index=index,
            text=text,
            finish_reason="stop",
            num_tokens=4,
        )


def _asked(question: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": question}]
