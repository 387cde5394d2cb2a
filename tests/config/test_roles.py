"""Who may do what over REST: every method of every address, for every kind of user.

The columns: Alice manages the workspace, Dana is its engineer, Bob labels in its campaign, Charlie manages another
workspace, and the last is not signed in.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser
from django.db import transaction
from django.urls import URLPattern, URLResolver, get_resolver, reverse
from rest_framework.test import APIClient

from annotation import adjudication, quality_pauses
from annotation.question import pairwise
from pipeline.schedules import services as schedules
from tests.factory import PASSWORD, Factory

PAIR = '{"prompt": "Hello?", "chosen": "Hello!", "rejected": "No."}\n'


class World:
    """One of everything in Alice's workspace, made when it is first asked for."""

    def __init__(self, factory: Factory) -> None:
        self.make = factory
        self.workspace = factory.workspace()
        self.name = "A new name"

    def __getattr__(self, noun: str) -> Any:
        made = getattr(self.make, noun)()
        setattr(self, noun, made)
        return made

    @cached_property
    def lease(self) -> Any:
        return self.make.leased_slot(self.campaign)

    @cached_property
    def comparison(self) -> Any:
        return self.make.comparison(self.campaign)

    @cached_property
    def disputed(self) -> Any:
        """A comparison that Alice decides at the moment."""
        comparison = self.judged_campaign.comparisons.latest("pk")
        self.hold = adjudication.take(comparison=comparison, annotator=self.make.person(self.make.alice()))
        return comparison

    @cached_property
    def paused(self) -> Any:
        campaign, bob = self.make.campaign(), self.make.person()
        quality_pauses.pause(campaign=campaign, annotator=bob, kind="manager", reason="Too fast")
        return campaign.enrolments.get()

    @cached_property
    def draft(self) -> Any:
        campaign = self.make.campaign(status="draft")
        self.make.comparison(campaign)
        return campaign

    @cached_property
    def paused_schedule(self) -> Any:
        schedule = self.make.schedule()
        schedules.pause(schedule=schedule)
        return schedule

    @cached_property
    def schedule_body(self) -> dict[str, Any]:
        plan = self.make.plan()
        return {
            "trigger": plan.trigger,
            "cron": plan.cron,
            "campaigns": [campaign.pk for campaign in plan.campaigns],
            "algorithm": plan.algorithm,
            "current_model": plan.current_model.pk,
            "prompt_set": plan.prompt_set.pk,
            "judge": plan.judge.pk,
            "min_prompts": plan.min_prompts,
        }

    @cached_property
    def queued(self) -> Any:
        return self.make.training_run(status="queued")

    def body(self, **fields: Any) -> dict[str, Any]:
        return {"workspace": self.workspace.pk, "name": self.name, **fields}


Arguments = Callable[[World], dict[str, Any]]


def nothing(world: World) -> dict[str, Any]:
    return {}


@dataclass(frozen=True)
class Case:
    """One method of one address, and the five answers."""

    method: str
    address: str
    answers: str  # alice, dana, bob, charlie, anonymous
    path: Arguments = nothing
    body: Callable[[World], Any] = lambda world: None
    query: Arguments = nothing

    @property
    def key(self) -> str:
        return f"{self.method} {self.address}"


def of(noun: str, argument: str = "pk") -> Arguments:
    return lambda world: {argument: getattr(world, noun).pk}


def enrolled(world: World) -> dict[str, Any]:
    return {"campaign": world.paused.campaign_id, "annotator": world.paused.annotator_id}


LISTED = "200 200 200 200 401"  # the tests below check that Bob and Charlie get empty lists
READ = "200 200 404 404 401"
MANAGED = "201 403 403 404 401"  # made in a workspace that the body names
ENGINEERED = "201 201 403 404 401"
MANAGED_THERE = "200 403 404 404 401"  # done to an object that labelers do not see
REMOVED_THERE = "204 403 404 404 401"
ENGINEERED_THERE = "200 200 404 404 401"

CASES = [
    Case("get", "api-tokens", LISTED),
    Case("post", "api-tokens", "201 201 201 201 201", body=lambda w: {"username": "alice", "password": PASSWORD}),
    Case("delete", "api-token", "404 404 404 404 401", path=lambda w: {"token_id": "concord_0000000"}),
    Case("get", "api-devices", LISTED),
    Case("get", "api-workspaces", LISTED),
    Case("get", "api-workspace", "200 200 200 404 401", path=lambda w: {"pk": w.workspace.pk}),
    Case("get", "api-prompt-sets", LISTED),
    Case("post", "api-prompt-sets", MANAGED, body=lambda w: w.body()),
    Case("get", "api-prompt-set", READ, path=of("prompt_set")),
    Case("get", "api-prompts", READ, path=of("prompt_set", "prompt_set")),
    Case("post", "api-prompts", MANAGED_THERE, path=of("prompt_set", "prompt_set"), body=lambda w: '{"prompt": "Hi"}'),
    Case(
        "post",
        "api-preview-prompts",
        MANAGED_THERE,
        path=of("prompt_set", "prompt_set"),
        body=lambda w: '{"prompt": "Hi"}',
    ),
    Case("get", "api-guard-runs", LISTED),
    Case("post", "api-guard-runs", "201 201 400 404 401", body=lambda w: w.body(prompt_set=w.prompt.prompt_set_id)),
    Case("get", "api-guard-run", READ, path=of("guard_run")),
    Case("post", "api-cancel-guard", ENGINEERED_THERE, path=lambda w: {"pk": w.make.guard_run(status="running").pk}),
    Case("get", "api-guard-verdicts", READ, path=of("guard_run", "guard_run")),
    Case("get", "api-scoring-runs", LISTED),
    Case(
        "post",
        "api-scoring-runs",
        "201 201 400 404 401",
        body=lambda w: w.body(sampling_run=w.scoring_run.sampling_run_id, reward_model=w.scoring_run.reward_model_id),
    ),
    Case("get", "api-scoring-run", READ, path=of("scoring_run")),
    Case(
        "post", "api-cancel-scoring", ENGINEERED_THERE, path=lambda w: {"pk": w.make.scoring_run(status="running").pk}
    ),
    Case("get", "api-scores", READ, path=of("scoring_run", "scoring_run")),
    Case("get", "api-constitutions", LISTED),
    Case(
        "post",
        "api-constitutions",
        MANAGED,
        body=lambda w: w.body(principles=[{"name": "a", "critique": "b", "revision": "c"}]),
    ),
    Case("get", "api-constitution", READ, path=of("constitution")),
    Case("get", "api-constitution-versions", READ, path=of("constitution")),
    Case(
        "post",
        "api-constitution-versions",
        MANAGED_THERE,
        path=of("constitution"),
        body=lambda w: {"principles": [{"name": "a", "critique": "b", "revision": "c"}]},
    ),
    Case("get", "api-revision-runs", LISTED),
    Case(
        "post",
        "api-revision-runs",
        "201 201 400 404 401",
        body=lambda w: w.body(sampling_run=w.sampling_run.pk, constitution=w.constitution.pk, model=w.model.pk),
    ),
    Case("get", "api-revision-run", READ, path=of("revision_run")),
    Case(
        "post",
        "api-cancel-revision",
        ENGINEERED_THERE,
        path=lambda w: {"pk": w.make.revision_run(status="running").pk},
    ),
    Case("get", "api-revisions", READ, path=of("revision_run", "revision_run")),
    Case(
        "post",
        "api-revision-comparisons",
        "201 403 404 404 401",
        path=of("campaign", "campaign"),
        body=lambda w: {"revision_run": w.revision_run.pk},
    ),
    Case("get", "api-models", LISTED),
    Case(
        "post", "api-models", MANAGED, body=lambda w: w.body(source="hub", location="meta-llama/Llama-3.2-1B-Instruct")
    ),
    Case("get", "api-model", READ, path=of("model")),
    # 422: the factory's model is a folder; what matters here is who gets so far.
    Case("post", "api-check-endpoint", "422 422 404 404 401", path=of("model")),
    Case("get", "api-sampling-runs", LISTED),
    Case(
        "post",
        "api-sampling-runs",
        "201 201 400 404 401",
        body=lambda w: w.body(prompt_set=w.prompt.prompt_set_id, arms=[{"model": w.model.pk}]),
    ),
    Case("get", "api-sampling-run", READ, path=of("sampling_run")),
    Case(
        "post",
        "api-cancel-sampling",
        ENGINEERED_THERE,
        path=lambda w: {"pk": w.make.sampling_run(status="running").pk},
    ),
    Case(
        "post", "api-retry-sampling", ENGINEERED_THERE, path=lambda w: {"pk": w.make.sampling_run(status="failed").pk}
    ),
    Case("get", "api-sampling-failures", READ, path=of("sampling_run", "sampling_run")),
    Case("get", "api-completions", READ, path=of("sampling_run", "sampling_run")),
    Case("get", "api-campaigns", LISTED),
    Case("post", "api-campaigns", MANAGED, body=lambda w: w.body(question=pairwise().to_json())),
    Case("get", "api-campaign", READ, path=of("campaign")),
    Case("post", "api-open-campaign", MANAGED_THERE, path=of("draft")),
    Case("post", "api-pause-campaign", MANAGED_THERE, path=of("campaign")),
    Case("post", "api-close-campaign", MANAGED_THERE, path=of("campaign")),
    Case("get", "api-campaign-versions", READ, path=of("campaign")),
    Case(
        "post",
        "api-campaign-question",
        MANAGED_THERE,
        path=of("campaign"),
        body=lambda w: {"question": pairwise(title="Which one would you send?").to_json()},
    ),
    Case(
        "post", "api-campaign-guidelines", MANAGED_THERE, path=of("campaign"), body=lambda w: {"guidelines": "Be kind."}
    ),
    Case("get", "api-campaign-policy", READ, path=of("campaign")),
    Case("post", "api-campaign-policy", MANAGED_THERE, path=of("campaign"), body=lambda w: {"gold_every": 9}),
    Case("get", "api-comparisons", READ, path=of("campaign", "campaign")),
    Case(
        "post",
        "api-comparisons",
        "201 403 404 404 401",
        path=of("campaign", "campaign"),
        body=lambda w: {"sampling_run": w.sampling_run.pk},
    ),
    Case("get", "api-enrolments", READ, path=of("campaign", "campaign")),
    Case(
        "post",
        "api-enrolments",
        "201 403 404 404 401",
        path=of("campaign", "campaign"),
        body=lambda w: {"username": "bob"},
    ),
    Case("get", "api-judgments", READ, path=of("judged_campaign", "campaign")),
    Case("get", "api-agreement", READ, path=of("judged_campaign")),
    Case("get", "api-next-task", "403 403 200 404 401", path=of("campaign")),
    Case("post", "api-next-task", "403 403 200 404 401", path=of("campaign")),
    Case("get", "api-labeling-campaigns", LISTED),
    Case(
        "post",
        "api-judge-slot",
        "404 404 201 404 401",
        path=of("lease"),
        body=lambda w: {"token": str(w.lease.token), "answer": {"tiers": [[0], [1]]}, "idempotency_key": "k"},
    ),
    Case(
        "post",
        "api-release-slot",
        "404 404 200 404 401",
        path=of("lease"),
        body=lambda w: {"token": str(w.lease.token)},
    ),
    *(
        Case(
            "post",
            f"api-{action}",
            "404 404 200 404 401",
            path=of("lease"),
            body=lambda w, extra=extra: {"token": str(w.lease.token), **extra},  # type: ignore[misc]
        )
        for action, extra in (("skip-slot", {}), ("save-draft", {"draft": {"rationale": "x"}}), ("renew-lease", {}))
    ),
    Case("get", "api-own-judgments", "404 404 200 404 401", path=of("campaign", "campaign")),
    Case(
        "post",
        "api-revise-judgment",
        "404 404 201 404 401",
        path=of("judgment"),
        body=lambda w: {"answer": {"tiers": [[1], [0]]}, "idempotency_key": "k"},
    ),
    Case(
        "post",
        "api-acknowledge-guidelines",
        "404 404 204 404 401",
        path=of("campaign"),
        body=lambda w: {"version": 1},
    ),
    Case(
        "post", "api-opt-out", "404 404 200 404 401", path=of("campaign"), body=lambda w: {"categories": ["sensitive"]}
    ),
    Case(
        "post",
        "api-dispute",
        "404 404 204 404 401",
        path=lambda w: {"pk": w.paused.campaign_id},
        body=lambda w: {"text": "Why?"},
    ),
    Case("get", "api-annotator-statistics", READ, path=of("judged_campaign", "campaign")),
    Case("get", "api-alerts", READ, path=of("campaign", "campaign")),
    Case(
        "post",
        "api-resolve-alert",
        MANAGED_THERE,
        path=lambda w: {"campaign": w.paused.campaign_id, "pk": w.paused.campaign.alerts.get().pk},
    ),
    Case("get", "api-pauses", READ, path=of("campaign", "campaign")),
    Case("post", "api-pause-annotator", MANAGED_THERE, path=enrolled, body=lambda w: {"reason": "Too fast."}),
    Case("post", "api-resume-annotator", MANAGED_THERE, path=enrolled),
    Case("post", "api-uphold-annotator", MANAGED_THERE, path=enrolled, body=lambda w: {"answer": "It stays."}),
    Case("get", "api-adjudication-queue", READ, path=of("judged_campaign", "campaign")),
    Case("get", "api-decisions", READ, path=of("judged_campaign", "campaign")),
    Case("get", "api-adjudication", READ, path=of("disputed")),
    Case("post", "api-adjudication", MANAGED_THERE, path=of("disputed")),
    Case("delete", "api-adjudication", REMOVED_THERE, path=of("disputed")),
    Case(
        "post",
        "api-decision",
        "201 403 404 404 401",
        path=of("disputed"),
        body=lambda w: {"token": str(w.hold.token), "answer": {"tiers": [[0], [1]]}, "idempotency_key": "k"},
    ),
    Case("delete", "api-decision", REMOVED_THERE, path=of("disputed")),
    Case("get", "api-gold-items", READ, path=of("campaign", "campaign")),
    Case("get", "api-gold-candidates", READ, path=of("judged_campaign", "campaign")),
    Case(
        "post",
        "api-promote-unanimous",
        MANAGED_THERE,
        path=of("judged_campaign", "campaign"),
        body=lambda w: {"min_judgments": 2},
    ),
    Case("post", "api-gold", MANAGED_THERE, path=of("comparison"), body=lambda w: {"answer": {"tiers": [[1], [0]]}}),
    Case("delete", "api-gold", REMOVED_THERE, path=of("comparison")),
    Case("get", "api-consensus-runs", LISTED),
    Case(
        "post",
        "api-consensus-runs",
        "201 403 400 400 401",
        body=lambda w: {"campaign": w.judged_campaign.pk, "method": "majority"},
    ),
    Case("get", "api-consensus-run", READ, path=of("consensus_run")),
    Case(
        "post",
        "api-cancel-consensus",
        ENGINEERED_THERE,
        path=lambda w: {"pk": w.make.consensus_run(status="running").pk},
    ),
    Case("get", "api-consensus-rows", READ, path=of("consensus_run", "run")),
    Case("get", "api-annotators", LISTED),
    Case("post", "api-annotators", MANAGED, body=lambda w: w.body(parameters={"strictness": "strict"})),
    Case("get", "api-annotator", READ, path=of("judge")),
    Case(
        "post",
        "api-judges",
        "201 403 400 404 401",
        body=lambda w: w.body(protocol="pairwise_verdict", model=w.model.pk),
    ),
    Case(
        "post",
        "api-judge-panels",
        "201 403 400 404 401",
        body=lambda w: w.body(members=[w.make.llm_judge().pk, w.make.llm_judge().pk]),
    ),
    Case("get", "api-judge-versions", READ, path=of("llm_judge", "annotator")),
    Case(
        "post",
        "api-judge-versions",
        "201 403 404 404 401",
        path=of("llm_judge", "annotator"),
        body=lambda w: {"model": w.llm_judge.versions.get().model_id, "parameters": {"conflict": "abstain"}},
    ),
    Case("get", "api-judge-calls", READ, path=of("judge_records", "run")),
    Case("get", "api-judge-call", READ, path=lambda w: {"pk": w.judge_records.calls.first().pk}),
    Case("post", "api-reread-replies", "200 403 404 404 401", path=of("judge_records", "run")),
    Case(
        "get",
        "api-calibration",
        READ,
        path=lambda w: {"campaign": w.judge_records.campaign_id, "annotator": w.judge_records.annotator_id},
    ),
    Case("get", "api-routing", READ, path=lambda w: {"campaign": w.judge_records.campaign_id}),
    Case(
        "put",
        "api-routing",
        "200 403 404 404 401",
        path=of("campaign", "campaign"),
        body=lambda w: {"judge": w.llm_judge.pk},
    ),
    Case("delete", "api-routing", "200 403 404 404 401", path=lambda w: {"campaign": w.judge_records.campaign_id}),
    Case("get", "api-judging-runs", LISTED),
    Case(
        "post",
        "api-judging-runs",
        "201 403 400 400 401",
        body=lambda w: {"campaign": w.campaign.pk, "annotator": w.judge.pk},
    ),
    Case("get", "api-judging-run", READ, path=of("judging_run")),
    Case(
        "post", "api-cancel-judging", ENGINEERED_THERE, path=lambda w: {"pk": w.make.judging_run(status="running").pk}
    ),
    Case("get", "api-datasets", LISTED),
    Case("post", "api-datasets", "201 201 400 404 401", body=lambda w: w.body(campaigns=[w.campaign.pk])),
    Case("get", "api-dataset", READ, path=of("dataset")),
    Case("post", "api-cancel-freeze", ENGINEERED_THERE, path=lambda w: {"pk": w.make.dataset(status="running").pk}),
    Case("get", "api-dataset-rows", READ, path=of("dataset")),
    Case("get", "api-dataset-download", READ, path=of("dataset")),
    Case("get", "api-dataset-annotators", READ, path=of("dataset")),
    Case("get", "api-dataset-judgments", READ, path=of("dataset")),
    Case(
        "post",
        "api-judgment-imports",
        MANAGED,
        query=lambda w: {"workspace": w.workspace.pk, "name": w.name},
        body=lambda w: PAIR,
    ),
    Case(
        "post",
        "api-judgment-import-preview",
        "200 403 403 404 401",
        query=lambda w: {"workspace": w.workspace.pk},
        body=lambda w: PAIR,
    ),
    Case("get", "api-judgment-export", READ, query=lambda w: {"campaign": w.judged_campaign.pk}),
    Case(
        "post",
        "api-preference-pairs",
        MANAGED,
        query=lambda w: {"workspace": w.workspace.pk, "name": w.name},
        body=lambda w: PAIR,
    ),
    Case("get", "api-training-runs", LISTED),
    Case(
        "post",
        "api-training-runs",
        "201 201 400 404 401",
        body=lambda w: w.body(algorithm="reward", dataset=w.dataset.pk, init_model=w.model.pk),
    ),
    Case("get", "api-training-run", READ, path=of("training_run")),
    Case(
        "post",
        "api-estimate-training",
        "200 200 400 404 401",
        body=lambda w: w.body(algorithm="reward", dataset=w.dataset.pk, init_model=w.model.pk),
    ),
    Case("get", "api-model-card", READ, path=of("training_run")),
    Case("get", "api-data-reports", LISTED),
    Case(
        "post", "api-data-reports", "201 201 400 400 401", body=lambda w: {"algorithm": "dpo", "dataset": w.dataset.pk}
    ),
    Case("get", "api-data-report", READ, path=of("data_report")),
    Case("post", "api-cancel-training", ENGINEERED_THERE, path=of("queued")),
    Case("post", "api-pause-training", ENGINEERED_THERE, path=of("queued")),
    Case(
        "post", "api-resume-training", ENGINEERED_THERE, path=lambda w: {"pk": w.make.training_run(status="failed").pk}
    ),
    Case("get", "api-metrics", READ, path=of("training_run", "run")),
    Case("get", "api-sample-texts", READ, path=of("training_run", "run")),
    Case("get", "api-checkpoints", READ, path=of("training_run", "run")),
    Case("get", "api-rounds", LISTED),
    # 422: the factory's model is no checkpoint; what matters here is who gets so far.
    Case(
        "post",
        "api-rounds",
        "422 403 400 400 401",
        body=lambda w: {"model": w.model.pk, "former": w.campaign.pk},
    ),
    Case("get", "api-round", READ, path=of("round")),
    Case("get", "api-serving-runs", LISTED),
    Case("post", "api-serving-runs", "201 201 400 400 401", body=lambda w: {"model": w.make.model().pk}),
    Case("get", "api-serving-run", READ, path=of("serving_run")),
    Case("post", "api-stop-serving", ENGINEERED_THERE, path=lambda w: {"pk": w.make.serving_run().pk}),
    Case("get", "api-retrainings", LISTED),
    Case("get", "api-retraining", READ, path=of("retraining")),
    Case(
        "post",
        "api-cancel-retraining",
        ENGINEERED_THERE,
        path=lambda w: {"pk": w.make.retraining(status="running").pk},
    ),
    # 422: nobody decided the rows of the factory's dataset; what matters here is who gets so far.
    Case(
        "post",
        "api-retrain",
        "422 422 404 404 401",
        path=of("training_run", "run"),
        body=lambda w: {"annotators": [w.judge.pk]},
    ),
    Case("get", "api-checkpoint", READ, path=lambda w: {"pk": w.training_run.checkpoints.get().pk}),
    # 409: the factory's checkpoint has no folder; what matters here is who gets so far.
    Case(
        "get",
        "api-export-checkpoint",
        "409 409 404 404 401",
        path=lambda w: {"pk": w.training_run.checkpoints.get().pk},
    ),
    Case("get", "api-checkpoint-lineage", READ, path=lambda w: {"pk": w.training_run.checkpoints.get().pk}),
    # 422: the factory's checkpoint has no folder; what matters here is who gets so far.
    Case(
        "post",
        "api-publish-checkpoint",
        "422 422 404 404 401",
        path=lambda w: {"pk": w.training_run.checkpoints.get().pk},
        body=lambda w: {"name": w.name},
    ),
    Case("get", "api-evaluations", LISTED),
    Case(
        "post",
        "api-evaluations",
        "201 201 400 404 401",
        body=lambda w: w.body(
            kind="preference_accuracy", dataset=w.dataset.pk, subjects=[w.make.model(kind="reward").pk]
        ),
    ),
    Case("get", "api-evaluation", READ, path=of("evaluation")),
    Case(
        "post", "api-cancel-evaluation", ENGINEERED_THERE, path=lambda w: {"pk": w.make.evaluation(status="running").pk}
    ),
    Case("get", "api-judged-pairs", READ, path=of("llm_evaluation", "run")),
    Case("get", "api-pipelines", LISTED),
    Case("post", "api-pipelines", MANAGED, body=lambda w: w.body()),
    Case("get", "api-pipeline", READ, path=of("pipeline")),
    Case("post", "api-cancel-pipeline", MANAGED_THERE, path=of("pipeline")),
    Case("get", "api-schedules", LISTED),
    Case("post", "api-schedules", "201 201 400 404 401", body=lambda w: w.body(**w.schedule_body)),
    Case("get", "api-schedule", READ, path=of("schedule")),
    Case(
        "put",
        "api-schedule",
        ENGINEERED_THERE,
        path=of("schedule"),
        body=lambda w: {"name": w.name, **w.schedule_body},
    ),
    Case("post", "api-pause-schedule", ENGINEERED_THERE, path=of("schedule")),
    Case("post", "api-resume-schedule", ENGINEERED_THERE, path=of("paused_schedule")),
    Case("post", "api-run-schedule", "201 201 404 404 401", path=of("schedule")),
    Case("get", "api-dry-run-schedule", READ, path=of("schedule")),
    Case("get", "api-firings", READ, path=of("schedule", "schedule")),
    Case("get", "api-firing", READ, path=of("firing")),
    Case("post", "api-cancel-firing", ENGINEERED_THERE, path=lambda w: {"pk": w.make.firing(status="running").pk}),
    Case("delete", "api-schedule", "204 204 404 404 401", path=of("schedule")),
    Case("post", "api-retry-firing", ENGINEERED_THERE, path=lambda w: {"pk": w.make.firing(status="failed").pk}),
    Case("get", "api-sweeps", LISTED),
    Case(
        "post",
        "api-sweeps",
        "201 201 400 404 401",
        body=lambda w: w.body(algorithm="dpo", grid={"beta": [0.1, 0.2]}, dataset=w.dataset.pk, init_model=w.model.pk),
    ),
    Case("get", "api-sweep", READ, path=of("sweep")),
    Case("post", "api-cancel-sweep", ENGINEERED_THERE, path=lambda w: {"pk": w.make.sweep(status="queued").pk}),
]

# What makes a row in each list that Bob and Charlie must not see. Tokens and workspaces have tests of their own.
LISTS = {
    "api-prompt-sets": "prompt_set",
    "api-models": "model",
    "api-sampling-runs": "sampling_run",
    "api-campaigns": "campaign",
    "api-annotators": "judge",
    "api-judging-runs": "judging_run",
    "api-consensus-runs": "consensus_run",
    "api-datasets": "dataset",
    "api-training-runs": "training_run",
    "api-data-reports": "data_report",
    "api-evaluations": "evaluation",
    "api-pipelines": "pipeline",
    "api-schedules": "schedule",
    "api-sweeps": "sweep",
}


def addresses() -> set[str]:
    """Every named REST address with each of its methods."""
    found: set[str] = set()

    def walk(patterns: list[URLPattern | URLResolver]) -> None:
        for pattern in patterns:
            if isinstance(pattern, URLResolver):
                walk(pattern.url_patterns)
            elif (pattern.name or "").startswith("api-") and hasattr(pattern.callback, "actions"):
                found.update(f"{method} {pattern.name}" for method in pattern.callback.actions if method != "head")

    walk(get_resolver().url_patterns)
    return found


def call(case: Case, user: Any, *, path: str, body: Any) -> int:
    """The status that the user gets; what the call changed is undone."""
    client = APIClient()
    if not isinstance(user, AnonymousUser):
        client.force_authenticate(user)
    options = {"format": "json"} if not isinstance(body, str) else {"content_type": "application/x-ndjson"}
    with transaction.atomic():
        response = getattr(client, case.method)(path, body, **options)
        transaction.set_rollback(True)
    return int(response.status_code)


def test_the_table_names_every_method_of_every_address() -> None:
    assert {case.key for case in CASES} == addresses()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.key)
def test_everybody_gets_the_answer_of_the_table(factory: Factory, case: Case) -> None:
    users = [factory.alice(), factory.dana(), factory.bob(), factory.charlie(), AnonymousUser()]
    world = World(factory)
    path = reverse(case.address, kwargs=case.path(world), query=case.query(world))
    body = case.body(world)

    answers = [str(call(case, user, path=path, body=body)) for user in users]

    assert " ".join(answers) == case.answers


@pytest.mark.parametrize(("address", "noun"), LISTS.items())
def test_lists_hold_only_what_the_reader_may_see(
    factory: Factory, api: Callable[..., APIClient], address: str, noun: str
) -> None:
    getattr(factory, noun)()

    counts = [
        api(user).get(reverse(address)).json()["count"]
        for user in (factory.alice(), factory.dana(), factory.admin(), factory.bob(), factory.charlie())
    ]

    assert min(counts[:3]) >= 1
    assert counts[3:] == [0, 0]


@pytest.mark.parametrize("case", [case for case in CASES if case.path is not nothing], ids=lambda case: case.key)
def test_an_unknown_id_is_not_found_for_anybody(factory: Factory, case: Case) -> None:
    """Not even for an administrator; nobody can tell a foreign row from none."""
    world = World(factory)
    missing = {name: "concord_none" if isinstance(value, str) else 2**40 for name, value in case.path(world).items()}
    path = reverse(case.address, kwargs=missing)

    assert call(case, factory.admin(), path=path, body=case.body(world)) == 404


def test_a_token_of_somebody_else_cannot_be_used_for_a_slot(factory: Factory, api: Callable[..., APIClient]) -> None:
    slot = factory.leased_slot()
    other = factory.user("eve", role="labeler")
    factory.enrolment(slot.campaign, other)

    body = {"token": str(uuid.uuid4()), "answer": {"tiers": [[0], [1]]}, "idempotency_key": "k"}
    response = api(other).post(reverse("api-judge-slot", kwargs={"pk": slot.pk}), body)

    assert response.status_code == 409
    assert response.json()["type"] == "urn:concord:lease-lost"
