from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.conf import LazySettings

from generation.services import ModelRefused, NameTaken
from tests.conftest import Doorbell
from tests.factory import Factory
from training import services
from training.algorithms.retention import MARK, retain
from training.models import TrainingRun
from training.services import TrainingRefused


def start(factory: Factory, algorithm: str, **fields: Any) -> TrainingRun:
    return services.start_training_run(
        **{"workspace": factory.workspace(), "name": "Run", "algorithm": algorithm, "config": {}, **fields}
    )


def demonstrations(factory: Factory) -> Any:
    return factory.dataset(kind="demonstrations")


def test_a_run_is_queued_with_its_whole_configuration(
    factory: Factory, doorbells: list[Doorbell], django_capture_on_commit_callbacks: Callable[..., Any]
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        run = start(factory, "sft", dataset=demonstrations(factory), config={"batch_size": 4})
    assert run.status == "queued"
    assert run.config["batch_size"] == 4
    assert run.config["learning_rate"] == 1e-3
    assert doorbells == [
        Doorbell("training.tasks.run_data_report", [run.data_report_id], "light"),
        Doorbell("training.tasks.run_training", [run.pk], "gpu"),
    ]


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"learning_rat": 1}, "did you mean learning_rate"),
        ({"batch_size": 0}, "batch_size must be positive"),
        ({"batch_size": "4"}, "batch_size must be int"),
        ({"fresh": {"num_head": 2}}, r"did you mean fresh\.num_heads"),
        ({"learning_rate": float("nan")}, "must be finite"),
    ],
)
def test_a_wrong_configuration_is_refused_by_its_field(factory: Factory, config: dict[str, Any], words: str) -> None:
    with pytest.raises(TrainingRefused, match=words):
        start(factory, "sft", dataset=demonstrations(factory), config=config)
    assert not TrainingRun.objects.exists()


def test_an_unknown_algorithm_is_refused(factory: Factory) -> None:
    with pytest.raises(TrainingRefused, match="sft, reward, dpo, kto, orpo, simpo, ppo"):
        start(factory, "magic")


def test_data_of_the_wrong_kind_are_refused(factory: Factory) -> None:
    model, prompts = factory.model(), factory.prompt_set()
    with pytest.raises(TrainingRefused, match="needs a dataset of demonstrations"):
        start(factory, "sft", dataset=factory.dataset())
    with pytest.raises(TrainingRefused, match="needs a dataset of preferences"):
        start(factory, "dpo", dataset=demonstrations(factory), init_model=model)
    with pytest.raises(TrainingRefused, match="give dataset and no prompt_set"):
        start(factory, "dpo", prompt_set=prompts, init_model=model)
    with pytest.raises(TrainingRefused, match="PPO trains on the prompts"):
        start(factory, "ppo", dataset=factory.dataset(), init_model=model)


@pytest.mark.parametrize(
    ("algorithm", "kind", "is_fit"),
    [
        ("reward", "rankings", True),
        ("reward", "labels", False),
        ("kto", "labels", True),
        ("kto", "preferences", True),
        ("kto", "rankings", False),
        ("orpo", "preferences", True),
        ("simpo", "labels", False),
    ],
)
def test_each_algorithm_takes_datasets_of_its_kinds(factory: Factory, algorithm: str, kind: str, is_fit: bool) -> None:
    inputs = {"dataset": factory.dataset(kind=kind), "init_model": factory.model()}
    if is_fit:
        assert start(factory, algorithm, **inputs).status == "queued"
    else:
        with pytest.raises(TrainingRefused, match=f"{algorithm} needs a dataset of"):
            start(factory, algorithm, **inputs)


def test_a_dataset_that_is_not_frozen_yet_is_refused(factory: Factory) -> None:
    with pytest.raises(TrainingRefused, match="is queued; only a finished"):
        start(factory, "reward", dataset=factory.dataset(status="queued"), init_model=factory.model())


def test_models_that_do_not_fit_are_refused(factory: Factory) -> None:
    dataset, policy = factory.dataset(), factory.model()
    reward = factory.model(kind="reward")
    served = factory.model(source="served", endpoint_url="http://example.org/v1")
    for words, fields in {
        "give init_model": {},
        "is a served name": {"init_model": served},
        "starts from a policy": {"init_model": reward},
        "no other algorithm takes one": {"init_model": policy, "reward_model": reward},
    }.items():
        with pytest.raises(TrainingRefused, match=words):
            start(factory, "dpo", dataset=dataset, **fields)


def test_ppo_needs_a_reward_model(factory: Factory) -> None:
    inputs = {"prompt_set": factory.prompt_set(), "init_model": factory.model()}
    with pytest.raises(TrainingRefused, match="PPO needs reward_model"):
        start(factory, "ppo", **inputs)
    with pytest.raises(TrainingRefused, match="is not a reward model"):
        start(factory, "ppo", reward_model=factory.model(), **inputs)
    assert start(factory, "ppo", reward_model=factory.model(kind="reward"), **inputs).status == "queued"


def test_a_held_out_judge_is_another_reward_model_that_is_asked_at_evaluations(factory: Factory) -> None:
    reward, judge = factory.model(kind="reward"), factory.model(kind="reward")
    inputs = {"prompt_set": factory.prompt_set(), "init_model": factory.model(), "reward_model": reward}
    refused: dict[str, dict[str, Any]] = {
        "must be another one": {"held_out_reward_model": reward, "config": {"eval_every": 5}},
        "set eval_every above 0": {"held_out_reward_model": judge},
        "must be a reward model": {"held_out_reward_model": factory.model(), "config": {"eval_every": 5}},
    }
    for words, fields in refused.items():
        with pytest.raises(TrainingRefused, match=words):
            start(factory, "ppo", **{"config": {}, **inputs, **fields})

    run = start(factory, "ppo", **inputs, held_out_reward_model=judge, config={"eval_every": 5})

    assert run.held_out_reward_model == judge


def test_only_ppo_takes_a_held_out_judge(factory: Factory) -> None:
    inputs = {"dataset": factory.dataset(), "init_model": factory.model()}
    with pytest.raises(TrainingRefused, match="Only PPO takes"):
        start(factory, "dpo", **inputs, held_out_reward_model=factory.model(kind="reward"))


@pytest.mark.parametrize("seed", [-1, 2**63])
def test_a_seed_that_no_column_holds_is_refused(factory: Factory, seed: int) -> None:
    with pytest.raises(TrainingRefused, match="seed"):
        start(factory, "sft", dataset=demonstrations(factory), seed=seed)


def test_nothing_of_another_workspace_is_trained_on(factory: Factory) -> None:
    elsewhere = factory.workspace("Elsewhere")
    ours, theirs = factory.dataset(), factory.dataset(workspace=elsewhere)
    with pytest.raises(TrainingRefused, match="workspace"):
        start(factory, "dpo", dataset=theirs, init_model=factory.model())
    with pytest.raises(TrainingRefused, match="workspace"):
        start(factory, "dpo", dataset=ours, init_model=factory.model(workspace=elsewhere))


# Publishing


@pytest.fixture
def finished(factory: Factory, settings: LazySettings, tmp_path: Path) -> Callable[[str], TrainingRun]:
    """`finished(algorithm)` is a run whose checkpoint has every file that a model needs, by name."""
    settings.RUNS_DIR = tmp_path

    def make(algorithm: str) -> TrainingRun:
        run = factory.training_run(algorithm=algorithm)
        folder = run.checkpoints.get().folder
        folder.mkdir(parents=True)
        (folder / "config.json").write_text('{"model_type": "llama"}')
        for name in ("model.safetensors", "tokenizer.json", "chat_template.jinja"):
            (folder / name).write_text("{}")
        return run

    return make


@pytest.mark.parametrize(("algorithm", "kind"), [("reward", "reward"), ("dpo", "policy"), ("sft", "policy")])
def test_a_published_checkpoint_is_a_model_with_its_parent(
    finished: Callable[[str], TrainingRun], algorithm: str, kind: str
) -> None:
    run = finished(algorithm)
    checkpoint = run.checkpoints.get()
    model = services.publish_checkpoint(checkpoint=checkpoint, name="Published")
    assert (model.kind, model.source, model.parent) == (kind, "folder", run.init_model)
    assert model.location == str(checkpoint.folder)
    assert model.checkpoint == checkpoint


def test_a_published_checkpoint_is_marked_so_that_its_run_never_removes_it(
    finished: Callable[[str], TrainingRun],
) -> None:
    checkpoint = finished("dpo").checkpoints.get()
    services.publish_checkpoint(checkpoint=checkpoint, name="Published")
    newer = checkpoint.folder.with_name("step-999999")
    newer.mkdir()
    assert retain(checkpoint.folder.parent, num_newest=1, best_by=None) == []
    assert (checkpoint.folder / MARK).exists()


def test_a_checkpoint_is_published_once(finished: Callable[[str], TrainingRun]) -> None:
    checkpoint = finished("dpo").checkpoints.get()
    first = services.publish_checkpoint(checkpoint=checkpoint, name="Published")
    assert services.publish_checkpoint(checkpoint=checkpoint, name="Another name") == first


def test_a_name_that_is_taken_publishes_nothing(factory: Factory, finished: Callable[[str], TrainingRun]) -> None:
    factory.model("Published")
    checkpoint = finished("dpo").checkpoints.get()
    with pytest.raises(NameTaken):
        services.publish_checkpoint(checkpoint=checkpoint, name="Published")
    checkpoint.refresh_from_db()
    assert checkpoint.language_model is None


def test_an_adapter_without_its_base_is_not_published_before_it_is_merged(
    finished: Callable[[str], TrainingRun],
) -> None:
    checkpoint = finished("dpo").checkpoints.get()
    (checkpoint.folder / "adapter").mkdir()
    (checkpoint.folder / "config.json").rename(checkpoint.folder / "kept.json")
    with pytest.raises(services.CheckpointUnmerged, match=rf"algorithms.merge {checkpoint.folder}$"):
        services.publish_checkpoint(checkpoint=checkpoint, name="Published")
    (checkpoint.folder / "kept.json").rename(checkpoint.folder / "config.json")
    assert services.publish_checkpoint(checkpoint=checkpoint, name="Published").name == "Published"


def test_a_checkpoint_whose_files_have_gone_is_refused(factory: Factory) -> None:
    checkpoint = factory.training_run(algorithm="dpo").checkpoints.get()
    with pytest.raises(ModelRefused, match="there is no folder"):
        services.publish_checkpoint(checkpoint=checkpoint, name="Gone")
