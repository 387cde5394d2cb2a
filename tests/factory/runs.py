"""Training, evaluations and pipelines for tests."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from django.utils import timezone

from accounts.models import Workspace
from annotation.models import Dataset, JudgeCall
from core.models import Device, DeviceWait, Job
from evaluation.models import EvaluationResult, EvaluationRun, JudgedPair, PairCall
from generation.models import Completion, LanguageModel
from pipeline.models import (
    PipelineRun,
    PipelineStep,
    Round,
    ScheduleFiring,
    SweptRun,
    TrainingSchedule,
    TrainingSweep,
)
from pipeline.schedules import plan, services
from pipeline.schedules.plan import Plan
from pipeline.sweeps.grid import Grid, points_of
from tests.factory.annotation import Annotation
from tests.factory.columns import STARTED_AT, job_columns
from training.models import Checkpoint, DataReport, Metric, Retraining, SampleText, TrainingRun
from training.report_runner import written_report


class Runs(Annotation):
    """Rows of the training, evaluation and pipeline apps."""

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
            workspace=workspace,
            name=name or self._name("training"),
            algorithm=algorithm,
            **{**job_columns(status), **fields},
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

    def retraining(self, *, status: str = Job.Status.FINISHED) -> Retraining:
        """A run that is trained again without one annotator."""
        origin = self.training_run()
        made = Retraining.objects.create(
            workspace=origin.workspace, origin=origin, name=f"{origin} again", **job_columns(status)
        )
        made.excluded.add(self.judge(workspace=origin.workspace))
        return made

    def data_report(self, dataset: Dataset | None = None, *, status: str = Job.Status.FINISHED) -> DataReport:
        """A report on pairs for DPO; a finished one has looked at the dataset's rows."""
        dataset = dataset or self.dataset()
        report = DataReport.objects.create(
            workspace=dataset.workspace,
            algorithm=TrainingRun.Algorithm.DPO,
            dataset=dataset,
            max_prompt_tokens=256,
            max_completion_tokens=256,
            key=self._name("key"),
            **job_columns(status),
        )
        if status == Job.Status.FINISHED:
            report.report = written_report(report)
            report.save(update_fields=["report"])
        return report

    def round(self) -> Round:
        """The second round of a campaign, still being sampled."""
        former, model = self.campaign(), self.model()
        return Round.objects.create(
            workspace=former.workspace,
            number=2,
            model=model,
            former=former,
            campaign=self.campaign(),
            sampling_run=self.sampling_run(models=[model], status="running"),
        )

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
            workspace=workspace, name=name or self._name("evaluation"), kind=kind, **inputs, **job_columns(status)
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

    def llm_evaluation(self, **fields: Any) -> EvaluationRun:
        """A win rate by an LLM judge; of its four pairs the first is judged, with one call, the others wait."""
        run = self.evaluation(**fields)
        judge = self.llm_judge(workspace=run.workspace)
        run.judge, run.judge_version, run.conflict = judge, judge.versions.get(), EvaluationRun.Conflict.TIE
        run.save(update_fields=["judge", "judge_version", "conflict"])
        subject = run.subjects.get()
        ours = Completion.objects.filter(sampling_run=run.sampling_run, model=subject)
        theirs = Completion.objects.filter(sampling_run=run.sampling_run, model=run.baseline)
        ordered = [rows.order_by("prompt", "index") for rows in (ours, theirs)]
        for one, other in zip(*ordered, strict=True):
            JudgedPair.objects.create(run=run, subject=subject, ours=one, theirs=other)
        first = run.pairs.earliest("pk")
        run.pairs.filter(pk=first.pk).update(state="judged", outcome=1.0, is_flipped=False)
        self.pair_call(first)
        return run

    def pair_call(self, pair: JudgedPair, **columns: Any) -> JudgeCall:
        """A call of the evaluation's judge about a pair; unless told otherwise it prefers the reply shown first."""
        call = {"messages": [{"role": "user", "content": "Which reply is better?"}], "template": "pairwise_verdict@1"}
        said = {"reply": "A", "finish_reason": "stop", "outcome": "verdict", "display_order": [0, 1], **columns}
        assert pair.run.judge_version is not None
        made = JudgeCall.objects.create(version=pair.run.judge_version, call=call, key=self._name("call"), **said)
        PairCall.objects.create(pair=pair, call=made)
        return made

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

    def plan(self, *, workspace: Workspace | None = None, **settings: Any) -> Plan:
        """Every night at two, DPO on one campaign, compared on at least two of about eleven held-out prompts."""
        workspace = workspace or self.workspace()
        makers = {
            "campaigns": lambda: [self.campaign(workspace=workspace)],
            "current_model": lambda: self.model(workspace=workspace),
            "prompt_set": lambda: self.prompt_set(num_prompts=12, held_out_fraction=0.9, workspace=workspace),
            "judge": lambda: self.judge(workspace=workspace),
        }
        made = {name: make() for name, make in makers.items() if name not in settings}
        timing = {"trigger": "time", "cron": "0 2 * * *"}
        return Plan(**{**timing, "min_prompts": 2, **made, **settings})

    def schedule(
        self, name: str | None = None, *, workspace: Workspace | None = None, **settings: Any
    ) -> TrainingSchedule:
        """A schedule by the plan above."""
        workspace = workspace or self.workspace()
        made = self.plan(workspace=workspace, **settings)
        return services.create_schedule(workspace=workspace, name=name or self._name("schedule"), plan=made)

    def firing(
        self, schedule: TrainingSchedule | None = None, *, status: str = "kept", **fields: Any
    ) -> ScheduleFiring:
        """A firing that came to a decision on the figures of `evaluation`, unless given another status."""
        schedule = schedule or self.schedule()
        evaluation = self.evaluation(workspace=schedule.workspace)
        figures = {
            "win_rate": 0.62,
            "low": 0.55,
            "high": 0.69,
            "num_prompts": 20,
            "decision": "Better, but not enough.",
        }
        made = {"candidate": evaluation.subjects.get(), "evaluation_run": evaluation, "step": "evaluate", **figures}
        has_figures = status in {"kept", "promoted"}
        columns = {
            "trigger": "time",
            "reason": "Its time came.",
            "num_new_judgments": 4,
            "plan": plan.copy_of(schedule),
            "baseline": schedule.current_model,
            **(made if has_figures else {}),
            **fields,
        }
        return ScheduleFiring.objects.create(
            schedule=schedule, number=schedule.firings.count() + 1, status=status, **columns
        )

    def sweep(
        self,
        name: str | None = None,
        *,
        grid: Grid | None = None,
        status: str = Job.Status.FINISHED,
        workspace: Workspace | None = None,
        num_seeds: int = 1,
    ) -> TrainingSweep:
        """A sweep of DPO, over two betas unless told, whose runs are all in this state and as good as each other."""
        workspace = workspace or self.workspace()
        grid = grid or {"beta": [0.1, 0.2]}
        columns = {"algorithm": "dpo", **self._training_inputs("dpo", workspace)}
        name = name or self._name("sweep")
        sweep = TrainingSweep.objects.create(workspace=workspace, name=name, grid=grid, num_seeds=num_seeds, **columns)
        for number, point in enumerate(points_of("dpo", grid, config={}, num_seeds=num_seeds), start=1):
            run = self.training_run(
                f"{name} {number}", status=status, workspace=workspace, seed=point.seed, config=point.values, **columns
            )
            SweptRun.objects.create(sweep=sweep, number=number, run=run, values=point.values)
        return sweep

    def _training_inputs(self, algorithm: str, workspace: Workspace) -> dict[str, Any]:
        if algorithm == TrainingRun.Algorithm.SFT:
            return {"dataset": self.dataset(workspace=workspace, kind=Dataset.Kind.DEMONSTRATIONS)}
        inputs: dict[str, Any] = {"init_model": self.model(workspace=workspace)}
        if algorithm == TrainingRun.Algorithm.PPO:
            reward_model = self.model(kind=LanguageModel.Kind.REWARD, workspace=workspace)
            return {**inputs, "prompt_set": self.prompt_set(workspace=workspace), "reward_model": reward_model}
        return {**inputs, "dataset": self.dataset(workspace=workspace)}

    def device(self, holder: Job | None = None, **fields: Any) -> Device:
        """A CPU slot of some host, held by `holder` if there is one."""
        key = self._name("device")
        lease: dict[str, Any] = (
            {
                "holder_model": holder._meta.label,
                "holder_id": holder.pk,
                "attempt": holder.attempt,
                "leased_at": timezone.now(),
                "leased_until": timezone.now() + timedelta(seconds=30),
            }
            if holder
            else {}
        )
        columns = {"kind": "cpu", "host": "host", "name": "CPU slot 0", "seen_at": timezone.now(), **fields}
        return Device.objects.create(key=key, **columns, **lease)

    def device_wait(self, waiter: Job | None = None, devices: Sequence[Device] = ()) -> DeviceWait:
        """A running job that waits for one of these."""
        waiter = waiter or self.training_run(status="running")
        return DeviceWait.objects.create(
            holder_model=waiter._meta.label,
            holder_id=waiter.pk,
            num_wanted=1,
            keys=[device.key for device in devices],
            since=timezone.now(),
            expires_at=timezone.now() + timedelta(seconds=30),
        )
