"""The page on which training runs are started."""

from __future__ import annotations

from typing import Any

import pytest

from frontend.setting_fields import initial_of
from tests.factory import Factory
from tests.frontend.conftest import Browse
from training.algorithms.config import CONFIGS
from training.algorithms.settings import settings_of
from training.models import TrainingRun


def filled_in(algorithm: str, **fields: Any) -> dict[str, Any]:
    """What a browser sends of the form with its defaults."""
    sent: dict[str, Any] = {"algorithm": algorithm, "name": "Run", "seed": "0"}
    for one in settings_of(algorithm):
        value = initial_of(one, one.default)
        if value is True:
            sent[one.name] = "on"
        elif value is not False:
            sent[one.name] = "" if value is None else str(value)
    return sent | fields


def test_labelers_and_strangers_have_no_such_page(factory: Factory, browse: Browse) -> None:
    factory.workspace()

    assert browse(factory.bob()).get("/training/new/").status_code == 404
    assert browse(factory.bob()).post("/training/start/", filled_in("sft")).status_code == 404
    assert browse(factory.dana()).get("/training/new/").status_code == 200


@pytest.mark.parametrize("algorithm", list(CONFIGS))
def test_every_algorithm_shows_its_settings_with_defaults_and_units(
    factory: Factory, browse: Browse, algorithm: str
) -> None:
    page = browse(factory.alice()).get("/training/new/", {"algorithm": algorithm}).content.decode()

    for one in settings_of(algorithm):
        assert f'name="{one.name}"' in page
    assert "peak of AdamW&#x27;s step" in page
    assert f'name="learning_rate" value="{CONFIGS[algorithm]().learning_rate}"' in page


def test_only_data_and_models_of_the_right_kind_are_offered(factory: Factory, browse: Browse) -> None:
    factory.dataset("Pairs")
    factory.dataset("Replies", kind="demonstrations")
    factory.dataset("Unfinished", status="queued")
    factory.model("A policy")
    factory.model("A judge of texts", kind="reward")
    factory.model("A name", source="named")
    client = browse(factory.dana())

    dpo = client.get("/training/new/", {"algorithm": "dpo"}).content.decode()
    ppo = client.get("/training/new/", {"algorithm": "ppo"}).content.decode()

    assert "Pairs" in dpo
    assert "A policy" in dpo
    for absent in ("Replies", "Unfinished", "A judge of texts", "A name<"):
        assert absent not in dpo
    assert "A judge of texts" in ppo
    assert 'name="dataset"' not in ppo


def test_nobody_is_offered_what_belongs_to_others(factory: Factory, browse: Browse) -> None:
    factory.dataset("Pairs")

    page = browse(factory.charlie()).get("/training/new/", {"algorithm": "dpo"}).content.decode()

    assert "Pairs" not in page


@pytest.mark.parametrize(
    ("kind", "algorithm"),
    [("demonstrations", "sft"), ("preferences", "dpo"), ("rankings", "reward"), ("labels", "kto")],
)
def test_from_a_dataset_one_comes_to_the_algorithm_of_its_kind(
    factory: Factory, browse: Browse, kind: str, algorithm: str
) -> None:
    dataset = factory.dataset(kind=kind)
    client = browse(factory.alice())

    page = client.get("/training/new/", {"dataset": dataset.pk}).content.decode()

    assert f'name="algorithm" value="{algorithm}"' in page
    assert f'<option value="{dataset.pk}" selected>' in page
    assert f"/training/new/?dataset={dataset.pk}" in client.get(f"/datasets/{dataset.pk}/").content.decode()


@pytest.mark.parametrize("dataset", ["x", "²", "9" * 40, ""])
def test_an_address_with_nonsense_shows_the_form_all_the_same(factory: Factory, browse: Browse, dataset: str) -> None:
    client = browse(factory.alice())

    reply = client.get("/training/new/", {"dataset": dataset, "algorithm": "magic", "preset": "none"})

    assert reply.status_code == 200


def test_a_preset_fills_in_the_settings_and_keeps_the_choices(factory: Factory, browse: Browse) -> None:
    dataset = factory.dataset()
    query: dict[str, str | int] = {"algorithm": "dpo", "preset": "starter_dpo", "dataset": dataset.pk, "name": "Mine"}

    page = browse(factory.alice()).get("/training/new/", query).content.decode()

    assert 'name="learning_rate" value="0.0002"' in page
    assert 'value="Mine"' in page
    assert f'<option value="{dataset.pk}" selected>' in page


def test_an_engineer_starts_a_run_with_what_the_form_says(factory: Factory, browse: Browse) -> None:
    dataset, model = factory.dataset(), factory.model()
    sent = filled_in("dpo", dataset=dataset.pk, init_model=model.pk, beta="0.3", length_normalised="true", seed="7")

    reply = browse(factory.dana()).post("/training/start/", sent)

    run = TrainingRun.objects.get()
    assert reply["Location"] == f"/training/{run.pk}/"
    assert (run.dataset, run.init_model, run.seed, run.created_by) == (dataset, model, 7, factory.dana())
    assert (run.config["beta"], run.config["length_normalised"], run.config["max_steps"]) == (0.3, True, None)


def test_a_fresh_model_is_described_by_nested_settings(factory: Factory, browse: Browse) -> None:
    dataset = factory.dataset(kind="demonstrations")

    browse(factory.dana()).post("/training/start/", filled_in("sft", dataset=dataset.pk, **{"fresh.num_layers": "2"}))

    run = TrainingRun.objects.get()
    assert run.config["fresh"]["num_layers"] == 2
    assert run.init_model is None


def test_ppo_is_started_on_prompts_with_a_reward_model(factory: Factory, browse: Browse) -> None:
    prompts, model, reward = factory.prompt_set(), factory.model(), factory.model(kind="reward")
    sent = filled_in("ppo", prompt_set=prompts.pk, init_model=model.pk, reward_model=reward.pk)

    browse(factory.alice()).post("/training/start/", sent)

    run = TrainingRun.objects.get()
    assert (run.prompt_set, run.reward_model, run.dataset) == (prompts, reward, None)


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("batch_size", "0", "batch_size must be positive"),
        ("batch_size", "many", "Enter a whole number"),
        ("beta", "", "This field is required"),
        ("loss", "magic", "Select a valid choice"),
        ("label_smoothing", "0.7", "must lie in [0, 0.5)"),
        ("robust", "on", "robust needs label_smoothing"),
        ("learning_rate", "nan", "Enter a number"),
        ("init_model", "", "This field is required"),
        ("name", "", "This field is required"),
    ],
)
def test_what_is_wrong_stands_beside_its_field(
    factory: Factory, browse: Browse, field: str, value: str, words: str
) -> None:
    sent = filled_in("dpo", dataset=factory.dataset().pk, init_model=factory.model().pk) | {field: value}

    reply = browse(factory.alice()).post("/training/start/", sent)

    page = reply.content.decode()
    assert reply.status_code == 422
    error = page.split(f'id="error-{field}">')[1].split("</p>")[0]
    assert words in error
    assert not TrainingRun.objects.exists()


def test_a_model_of_another_workspace_is_refused_at_its_field(factory: Factory, browse: Browse) -> None:
    other = factory.workspace("Other")
    factory.alice()
    factory.user("alice", role="manager", workspace=other)
    sent = filled_in("dpo", dataset=factory.dataset().pk, init_model=factory.model(workspace=other).pk)

    page = browse(factory.alice()).post("/training/start/", sent).content.decode()

    assert "It belongs to Other" in page.split('id="error-init_model">')[1].split("</p>")[0]


def test_an_algorithm_that_there_is_not_is_not_found(factory: Factory, browse: Browse) -> None:
    assert browse(factory.alice()).post("/training/start/", {"algorithm": "magic"}).status_code == 404
