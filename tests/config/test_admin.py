"""The admin shows every model, and changes only what may be changed there."""

from __future__ import annotations

from typing import Any

import pytest
from django.apps import apps
from django.contrib import admin
from django.db.models import Model
from django.test import Client
from django.urls import reverse

from accounts import services
from accounts.admin import RecordAdmin
from annotation.models import Judgment
from core.models import Job
from tests.factory import Factory
from training.models import TrainingRun

OUR_APPS = ("core", "accounts", "generation", "annotation", "training", "evaluation", "pipeline")
MODELS = sorted(admin.site._registry, key=lambda model: model._meta.label)


@pytest.fixture
def administrator(factory: Factory, client: Client) -> Client:
    client.force_login(factory.admin())
    return client


@pytest.fixture
def everything(factory: Factory) -> None:
    """At least one row of every model of ours."""
    factory.quality_records(factory.judged_campaign())
    factory.judging_run()
    factory.judge_records()
    factory.training_run(algorithm="ppo")
    factory.training_run()
    factory.retraining()
    factory.data_report()
    factory.serving_run()
    factory.round()
    factory.evaluation()
    factory.llm_evaluation()
    factory.pipeline()
    factory.firing()
    factory.sweep()
    factory.marked_run()
    factory.sampling_failure()
    factory.guard_run()
    factory.scoring_run()
    factory.revision_run()
    factory.endpoint_check()
    factory.device()
    factory.device_wait()
    services.issue_token(user=factory.alice())


def address(model: type[Model], page: str, *args: Any) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}", args=args)


def test_every_model_of_ours_is_there() -> None:
    ours = {model for name in OUR_APPS for model in apps.get_app_config(name).get_models()}

    assert ours <= set(admin.site._registry)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.label)
def test_the_list_can_be_searched_and_every_row_opened(
    administrator: Client, everything: None, model: type[Model]
) -> None:
    listed = administrator.get(
        address(model, "changelist"), {"q": "a"} if admin.site._registry[model].search_fields else {}
    )
    row = model._default_manager.first()

    assert listed.status_code == 200
    assert administrator.get(address(model, "changelist")).status_code == 200
    if model._meta.app_label in OUR_APPS:
        assert row is not None
    if row is not None:
        assert administrator.get(address(model, "change", row.pk)).status_code == 200


@pytest.mark.parametrize(
    "model", [model for model in MODELS if isinstance(admin.site._registry[model], RecordAdmin)], ids=str
)
def test_what_services_write_cannot_be_added(administrator: Client, model: type[Model]) -> None:
    assert administrator.get(address(model, "add")).status_code == 403


@pytest.mark.parametrize("name", ["User", "Workspace", "Membership"])
def test_people_and_workspaces_can_be_added(administrator: Client, name: str) -> None:
    assert administrator.get(address(apps.get_model("accounts", name), "add")).status_code == 200


def test_a_run_can_be_renamed_and_nothing_else_of_it_changed(administrator: Client, factory: Factory) -> None:
    run = factory.training_run(status="running")
    forged = {"name": "renamed", "status": "finished", "attempt": 9, "config": "{}", "seed": 5}
    inline = {f"checkpoints-{name}_FORMS": 0 for name in ("TOTAL", "INITIAL", "MIN_NUM", "MAX_NUM")}

    response = administrator.post(address(TrainingRun, "change", run.pk), {**forged, **inline})

    assert response.status_code == 302
    now = TrainingRun.objects.get(pk=run.pk)
    assert (now.name, now.status, now.attempt, now.seed) == ("renamed", "running", 1, 0)


def test_judgments_can_be_neither_changed_nor_deleted(administrator: Client, factory: Factory) -> None:
    judgment = factory.judgment()

    assert administrator.post(address(Judgment, "change", judgment.pk), {"answer": "{}"}).status_code == 403
    assert administrator.post(address(Judgment, "delete", judgment.pk), {"post": "yes"}).status_code == 403


def test_runs_can_be_cancelled_from_the_list(administrator: Client, factory: Factory) -> None:
    queued, ended = factory.training_run(status="queued"), factory.training_run()
    chosen = {"action": "cancel", "_selected_action": [queued.pk, ended.pk]}

    response = administrator.post(address(TrainingRun, "changelist"), chosen, follow=True)

    queued.refresh_from_db()
    assert queued.status == Job.Status.CANCELLED
    assert "has already ended and cannot be cancelled" in response.content.decode()


def test_secrets_are_not_shown(administrator: Client, factory: Factory) -> None:
    from knox.models import AuthToken

    token = services.issue_token(user=factory.alice())
    row, slot = AuthToken.objects.get(), factory.leased_slot()

    shown = administrator.get(address(AuthToken, "change", row.pk)).content.decode()
    assert token not in shown
    assert f">{row.digest}<" not in shown
    assert str(slot.token) not in administrator.get(address(type(slot), "change", slot.pk)).content.decode()


@pytest.mark.parametrize("name", ["alice", "bob", "charlie"])
def test_only_administrators_get_in(factory: Factory, client: Client, name: str) -> None:
    client.force_login(getattr(factory, name)())

    assert client.get("/admin/").status_code == 302
