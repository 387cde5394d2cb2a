from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.conf import LazySettings

from core.urlguard import UrlRefused
from generation import services
from generation.models import LanguageModel, PromptSet, SamplingRun
from generation.prompt_lines import NewPrompt
from generation.services import ArmSpec, ModelRefused, NameTaken, PromptSetRefused, SamplingRefused
from generation.vllm_command import ServingRefused
from tests.conftest import Doorbell
from tests.factory import Factory

Capture = Callable[..., Any]


def asked(*texts: str) -> list[NewPrompt]:
    return [NewPrompt(messages=[{"role": "user", "content": text}]) for text in texts]


@pytest.fixture
def model_folder(tmp_path: Path) -> Path:
    """A folder with every file that a model needs, by name."""
    (tmp_path / "config.json").write_text('{"model_type": "llama"}')
    for name in ("model.safetensors", "tokenizer.json", "chat_template.jinja"):
        (tmp_path / name).write_text("{}")
    return tmp_path


# Prompt sets


def test_a_prompt_sets_name_is_taken_once_per_workspace(factory: Factory) -> None:
    workspace = factory.workspace()
    services.create_prompt_set(workspace=workspace, name="Sums")
    with pytest.raises(NameTaken, match="Sums"):
        services.create_prompt_set(workspace=workspace, name="Sums")
    assert services.create_prompt_set(workspace=factory.workspace("Elsewhere"), name="Sums").name == "Sums"


@pytest.mark.parametrize("fraction", [-0.1, 1.0, 1.5, float("nan")])
def test_a_held_out_fraction_outside_0_to_1_is_refused(factory: Factory, fraction: float) -> None:
    with pytest.raises(PromptSetRefused, match="held_out_fraction"):
        services.create_prompt_set(workspace=factory.workspace(), name="Sums", held_out_fraction=fraction)


def test_adding_prompts_twice_adds_nothing(factory: Factory) -> None:
    prompt_set = factory.prompt_set()
    first = services.add_prompts(prompt_set=prompt_set, prompts=asked("a", "b", "a"))
    second = services.add_prompts(prompt_set=prompt_set, prompts=asked("b", "c"))
    assert (first.num_added, first.num_known) == (2, 1)
    assert (second.num_added, second.num_known) == (1, 1)
    assert [prompt.last_turn for prompt in prompt_set.prompts.all()] == ["a", "b", "c"]


def test_two_sets_may_hold_the_same_prompt(factory: Factory) -> None:
    reports = [
        services.add_prompts(prompt_set=factory.prompt_set(workspace=workspace), prompts=asked("a"))
        for workspace in (factory.workspace(), factory.workspace("Elsewhere"))
    ]
    assert [report.num_added for report in reports] == [1, 1]


# Language models


def test_a_whole_folder_is_registered(factory: Factory, model_folder: Path) -> None:
    model = services.register_model(
        workspace=factory.workspace(), name="Base", source="folder", location=str(model_folder)
    )
    assert (model.kind, model.source, model.location) == ("policy", "folder", str(model_folder))


@pytest.mark.parametrize(
    ("missing", "words"),
    [
        ("config.json", "config.json is missing"),
        ("model.safetensors", "no weights"),
        ("tokenizer.json", "no tokenizer"),
        ("chat_template.jinja", "no chat template"),
    ],
)
def test_a_folder_that_lacks_a_file_is_refused(factory: Factory, model_folder: Path, missing: str, words: str) -> None:
    (model_folder / missing).unlink()
    with pytest.raises(ModelRefused, match=words):
        services.register_model(workspace=factory.workspace(), name="Base", source="folder", location=str(model_folder))
    assert not LanguageModel.objects.exists()


def test_a_folder_that_does_not_exist_is_refused(factory: Factory, model_folder: Path) -> None:
    shutil.rmtree(model_folder)
    with pytest.raises(ModelRefused, match="there is no folder"):
        services.register_model(workspace=factory.workspace(), name="Base", source="folder", location=str(model_folder))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"location": " "}, "needs a location"),
        ({"endpoint_url": "https://example.org/v1"}, "Only a served model"),
        ({"source": "floppy"}, "source must be one of"),
        ({"kind": "oracle"}, "kind must be one of"),
    ],
)
def test_a_model_that_contradicts_itself_is_refused(factory: Factory, changes: dict[str, str], words: str) -> None:
    fields: dict[str, Any] = {"source": "hub", "location": "org/name", "name": "Base", **changes}
    with pytest.raises(ModelRefused, match=words):
        services.register_model(workspace=factory.workspace(), **fields)


def test_a_models_name_is_taken_once(factory: Factory) -> None:
    factory.model("Base")
    with pytest.raises(NameTaken, match="Base"):
        services.register_model(workspace=factory.workspace(), name="Base", source="hub", location="org/name")


def test_a_server_on_this_machine_must_be_allowed_by_the_operator(factory: Factory, settings: LazySettings) -> None:
    fields: dict[str, Any] = {"source": "served", "location": "llama", "name": "Served"}
    fields["endpoint_url"] = "http://127.0.0.1:8001/v1"
    with pytest.raises(UrlRefused, match="ALLOWED_PRIVATE_HOSTS"):
        services.register_model(workspace=factory.workspace(), **fields)
    settings.ALLOWED_PRIVATE_HOSTS = ("127.0.0.1:8001",)
    assert services.register_model(workspace=factory.workspace(), **fields).source == "served"


# Sampling runs


def start(factory: Factory, prompt_set: PromptSet, *arms: ArmSpec, **fields: Any) -> SamplingRun:
    return services.start_sampling_run(
        workspace=factory.workspace(), name="Candidates", prompt_set=prompt_set, arms=arms, **fields
    )


def test_a_sampling_run_is_queued_and_rung_on_commit(
    factory: Factory, doorbells: list[Doorbell], django_capture_on_commit_callbacks: Capture
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        run = start(factory, factory.prompt_set(num_prompts=1), ArmSpec(model=factory.model(), temperature=0.5))
        assert doorbells == []
    assert run.status == "queued"
    assert [arm.temperature for arm in run.arms.all()] == [0.5]
    assert doorbells == [Doorbell("generation.tasks.run_sampling", [run.pk], "gpu")]


def test_a_run_without_models_or_prompts_is_refused(factory: Factory) -> None:
    with pytest.raises(SamplingRefused, match="at least one model"):
        start(factory, factory.prompt_set(num_prompts=1))
    with pytest.raises(SamplingRefused, match="is empty"):
        start(factory, factory.prompt_set(), ArmSpec(model=factory.model()))


def test_arms_of_one_model_have_names_of_their_own(factory: Factory) -> None:
    prompt_set, model = factory.prompt_set(num_prompts=1), factory.model("Base")
    with pytest.raises(SamplingRefused, match="Two arms are called 'Base'"):
        start(factory, prompt_set, ArmSpec(model=model), ArmSpec(model=model, system_prompt="Be brief."))
    brief = ArmSpec(model=model, name="Brief", system_prompt="Be brief.", stop=("\n",))
    run = start(factory, prompt_set, ArmSpec(model=model), brief)
    assert [(arm.position, arm.label, arm.stop) for arm in run.arms.all()] == [(0, "Base", []), (1, "Brief", ["\n"])]


def test_adapters_belong_to_served_models(factory: Factory) -> None:
    prompt_set = factory.prompt_set(num_prompts=1)
    with pytest.raises(SamplingRefused, match="is not served"):
        start(factory, prompt_set, ArmSpec(model=factory.model(), adapter="polite"))
    served = factory.model("Llama", source="served", endpoint_url="https://example.org/v1")
    assert start(factory, prompt_set, ArmSpec(model=served, adapter="polite")).arms.get().label == "Llama + polite"


def test_an_arm_with_a_server_of_its_own_names_the_folder_of_its_adapter(factory: Factory, tmp_path: Path) -> None:
    prompt_set, model = factory.prompt_set(num_prompts=1), factory.model()
    polite = ArmSpec(model=model, adapter=str(tmp_path), uses_managed_server=True)
    with pytest.raises(ServingRefused, match="no LoRA adapter"):
        start(factory, prompt_set, polite)
    (tmp_path / "adapter_config.json").write_text('{"r": 8}')
    (tmp_path / "adapter_model.safetensors").touch()
    assert start(factory, prompt_set, polite).arms.get().adapter == str(tmp_path)


def test_prompts_and_models_of_another_workspace_are_refused(factory: Factory) -> None:
    elsewhere = factory.workspace("Elsewhere")
    ours, theirs = factory.prompt_set(num_prompts=1), factory.prompt_set(num_prompts=1, workspace=elsewhere)
    with pytest.raises(SamplingRefused, match="must belong"):
        start(factory, theirs, ArmSpec(model=factory.model()))
    with pytest.raises(SamplingRefused, match="must belong"):
        start(factory, ours, ArmSpec(model=factory.model(workspace=elsewhere)))


def test_a_reward_model_cannot_be_sampled(factory: Factory) -> None:
    with pytest.raises(SamplingRefused, match="reward model and cannot write"):
        start(factory, factory.prompt_set(num_prompts=1), ArmSpec(model=factory.model(kind="reward")))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"num_completions": 0}, "num_completions"),
        ({"temperature": -1.0}, "temperature"),
        ({"top_p": 0.0}, "top_p"),
        ({"max_new_tokens": 0}, "max_new_tokens"),
        ({"stop": ("",)}, "stop"),
    ],
)
def test_an_arm_that_cannot_be_sampled_is_refused(factory: Factory, changes: dict[str, Any], words: str) -> None:
    with pytest.raises(SamplingRefused, match=words):
        start(factory, factory.prompt_set(num_prompts=1), ArmSpec(model=factory.model(), **changes))
    assert not SamplingRun.objects.exists()


@pytest.mark.parametrize(
    ("fields", "words"), [({"seed": -1}, "seed"), ({"max_prompts": 0}, "max_prompts"), ({"split": "half"}, "split")]
)
def test_a_run_that_cannot_be_carried_out_is_refused(factory: Factory, fields: dict[str, Any], words: str) -> None:
    with pytest.raises(SamplingRefused, match=words):
        start(factory, factory.prompt_set(num_prompts=1), ArmSpec(model=factory.model()), **fields)
