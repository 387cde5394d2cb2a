"""Low-rank adapters: what they change, what they leave alone, and what every algorithm does with them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from tests.training.algorithms import builders
from tests.training.algorithms.builders import carry_out, events, failure, order, saved_model, saved_reward_model
from training.algorithms.adapters import target_modules
from training.algorithms.batches import collate, completion_logps, completion_scores, sum_by_completion
from training.algorithms.config import InvalidConfiguration, LoRAConfig, parse_config
from training.algorithms.execution import execute
from training.algorithms.models import (
    LanguageModel,
    critic_beside,
    load_language_model,
    load_reward_model,
    with_adapter,
)
from training.algorithms.reference import content_hash
from training.algorithms.session import Stopped

WEIGHTS = "adapter_model.safetensors"
LORA: dict[str, Any] = {"rank": 4, "alpha": 8}
LEARNING = {"lora": LORA, "learning_rate": 0.02, "num_epochs": 3}
PPO = {"num_minibatches": 2, "num_critic_warmup": 1, "max_steps": 5}


def made(folder: Path, algorithm: str, **config: Any) -> Path:
    """A run directory of any algorithm, on a tiny model that lies beside it."""
    settings = {**LEARNING, **(PPO if algorithm == "ppo" else {}), **config}
    reward = saved_reward_model(folder.parent / "reward") if algorithm == "ppo" else None
    return order(folder, algorithm, settings, init_model=saved_model(folder.parent / "base"), reward_model=reward)


def final(directory: Path) -> Path:
    """The folder of the last checkpoint."""
    return directory / str(events(directory, "checkpoint")[-1]["path"])


def disturb(parameters: Sequence[Tensor], seed: int = 0) -> None:
    """Random numbers in place of every matrix, so that an adapter says something."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in parameters:
            parameter.copy_(0.3 * torch.randn(parameter.shape, generator=generator))


def adapted(seed: int = 0, **config: Any) -> LanguageModel:
    """A tiny policy with an adapter that is not zero."""
    model = with_adapter(builders.language_model(), LoRAConfig(**LORA, **config), base="base", seed=seed)
    disturb(list(model.trained.values()))
    return model


@torch.no_grad()
def logps(model: LanguageModel) -> Tensor:
    """Log-probabilities of some completions."""
    batch = collate(builders.trees(), pad_id=0)
    return sum_by_completion(completion_logps(model, batch).logps_N, batch)


def test_a_fresh_adapter_changes_nothing_and_depends_on_its_seed_alone() -> None:
    plain = logps(builders.language_model())
    weights = []
    for noise in (0, 1, 2):
        torch.manual_seed(noise)
        model = with_adapter(builders.language_model(), LoRAConfig(), base="base", seed=7 if noise < 2 else 8)
        assert torch.equal(logps(model), plain)
        weights.append(torch.cat([p.detach().flatten() for p in model.trained.values()]))
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_all_linear_layers_but_the_head_are_adapted_and_nothing_else_is_trained() -> None:
    model = adapted()
    layers = {name.split(".lora_")[0].rsplit(".", 1)[-1] for name in model.trained}
    assert layers == {"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"}
    trained = {id(parameter) for parameter in model.trained.values()}
    assert trained == {id(p) for p in model.network.parameters() if p.requires_grad}
    assert all(4 in parameter.shape for parameter in model.trained.values())


def test_switched_off_it_is_the_frozen_network_again_and_switched_on_the_policy() -> None:
    model, plain = adapted(), logps(builders.language_model())
    own = logps(model)
    assert (own - plain).abs().max() > 0.1
    assert torch.equal(logps(model.reference), plain)
    assert torch.equal(logps(model), own)


def test_what_adapts_a_network_adds_alpha_over_rank_times_b_times_a() -> None:
    model = adapted()
    layer: Any = model.network.get_submodule("model.layers.1.mlp.up_proj")
    base, down, up = (part.weight.detach() for part in (layer.base_layer, layer.lora_A.default, layer.lora_B.default))
    hidden_ND = torch.randn(3, base.shape[1])
    torch.testing.assert_close(layer(hidden_ND), hidden_ND @ (base + 2.0 * up @ down).T)


def test_layouts_agree_through_adapters_in_values_and_gradients() -> None:
    found = []
    for layout in ("trees", "padded"):
        model = adapted()
        assert model.reads_trees
        if layout == "padded":
            model.network.set_attn_implementation("sdpa")
        batch = collate(builders.trees(), pad_id=0)
        logps_C = sum_by_completion(completion_logps(model, batch).logps_N, batch)
        (logps_C * torch.arange(1.0, 1 + len(logps_C))).sum().backward()
        gradients = [p.grad for p in model.trained.values() if p.grad is not None]
        assert len(gradients) == len(model.trained)
        found.append((logps_C.detach(), torch.cat([gradient.flatten() for gradient in gradients])))
    torch.testing.assert_close(found[0][0], found[1][0], atol=2e-5, rtol=0)
    assert (found[0][1] - found[1][1]).norm() < 1e-5 * found[1][1].norm()


def test_policy_critic_and_reference_share_one_network_and_do_not_disturb_each_other() -> None:
    policy = adapted()
    before, plain = logps(policy), logps(builders.language_model())
    critic = critic_beside(policy, seed=1)
    assert critic.network is policy.network
    assert not {id(p) for p in critic.trained.values()} & {id(p) for p in policy.trained.values()}
    batch = collate(builders.trees(), pad_id=0)
    assert torch.equal(completion_scores(critic, batch), torch.zeros(6))
    disturb(list(critic.trained.values()), seed=2)
    assert completion_scores(critic, batch).abs().min() > 0
    assert torch.equal(logps(policy), before)
    assert torch.equal(logps(policy.reference), plain)
    completion_scores(critic, batch).sum().backward()
    assert all(parameter.grad is None for parameter in policy.trained.values())
    assert all(parameter.grad is not None for parameter in critic.trained.values())
    completion_logps(policy, batch).logps_N.sum().backward()
    assert all(parameter.grad is not None for parameter in policy.trained.values())


def test_dropout_is_on_where_a_gradient_is_wanted_alone() -> None:
    model, batch = adapted(dropout=0.5), collate(builders.trees(), pad_id=0)
    assert torch.equal(logps(model), logps(adapted()))
    noisy = [completion_logps(model, batch).logps_N.detach() for _ in range(2)]
    assert not torch.equal(*noisy)
    assert torch.equal(logps(model), logps(adapted()))


def test_the_reference_is_cached_under_the_base_whether_or_not_there_is_an_adapter() -> None:
    trees = builders.trees()
    assert content_hash(adapted(), trees) == content_hash(builders.language_model(), trees)
    assert content_hash(adapted(), trees) != content_hash(builders.language_model(seed=1), trees)


FIRST_LOSSES = {"reward": math.log(2), "dpo": math.log(2), "kto": 0.5}


@pytest.mark.parametrize("algorithm", ["sft", "reward", "dpo", "kto", "orpo", "simpo", "ppo"])
def test_an_algorithm_trains_an_adapter_and_leaves_a_whole_model_without_its_base_in_between(
    tmp_path: Path, algorithm: str
) -> None:
    directory = made(tmp_path / "run", algorithm, checkpoint_every=4)
    assert carry_out(directory) == 0, failure(directory)
    losses = [event["values"]["loss"] for event in events(directory, "step")]
    assert losses[0] == pytest.approx(FIRST_LOSSES.get(algorithm, losses[0]), abs=1e-7)
    if algorithm != "ppo":
        assert sum(losses[-3:]) < sum(losses[:3]) - 0.01
    passing, last = (directory / str(event["path"]) for event in events(directory, "checkpoint")[-2:])
    assert not (passing / "model.safetensors").exists()
    assert all("lora" in name or name.endswith("score.weight") for name in load_file(passing / "adapter" / WEIGHTS))
    state = load_file(passing / "trainer" / "optimizer.safetensors")
    optimised = sum(tensor.numel() for name, tensor in state.items() if name.endswith("exp_avg"))
    assert optimised == sum(tensor.numel() for tensor in load_file(passing / "adapter" / WEIGHTS).values())
    load = load_reward_model if algorithm == "reward" else load_language_model
    for checkpoint in (passing, last):
        load(checkpoint)
    base = load_file(tmp_path / "base" / "model.safetensors")
    merged = load_file(last / "model.safetensors")
    assert set(merged) == (set(base) - {"lm_head.weight"} | {"score.weight"} if algorithm == "reward" else set(base))
    assert torch.equal(merged["model.embed_tokens.weight"], base["model.embed_tokens.weight"])
    assert not torch.equal(merged["model.layers.0.mlp.up_proj.weight"], base["model.layers.0.mlp.up_proj.weight"])


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("algorithm", ["dpo", "reward", "ppo"])
def test_a_stopped_run_resumes_to_the_same_bits(tmp_path: Path, algorithm: str, dtype: str) -> None:
    settings = {"checkpoint_every": 2, "dtype": dtype, "lora": {**LORA, "dropout": 0.0 if algorithm == "ppo" else 0.1}}
    whole, cut = (made(tmp_path / name, algorithm, **settings) for name in ("whole", "cut"))
    assert carry_out(whole) == 0, failure(whole)
    stops = iter([False, False, False, True])
    with pytest.raises(Stopped):
        execute(cut, is_stop_requested=lambda: next(stops))
    assert carry_out(cut) == 0
    assert any("Resumed" in event["message"] for event in events(cut, "log"))
    for name in ("model.safetensors", f"adapter/{WEIGHTS}"):
        assert (final(cut) / name).read_bytes() == (final(whole) / name).read_bytes()


def test_an_adapter_for_a_model_that_is_not_there_is_named(tmp_path: Path) -> None:
    directory = made(tmp_path / "run", "dpo", lora={"target_modules": "q_proj, v_prj"})
    assert carry_out(directory) == 1
    said = failure(directory)
    assert said["kind"] == "configuration"
    assert "'v_prj'" in said["error"]
    assert "did you mean v_proj?" in said["error"]


def test_the_head_is_no_target() -> None:
    network = builders.language_model().network
    with pytest.raises(InvalidConfiguration, match="'lm_head', which is no linear layer under the model's heads"):
        target_modules(network, "lm_head")
    assert target_modules(network, "v_proj,q_proj") == ["q_proj", "v_proj"]


@pytest.mark.parametrize(
    ("algorithm", "lora", "message"),
    [
        ("dpo", {"rank": 0}, r"lora\.rank must be at least 1"),
        ("dpo", {"alpha": 0}, r"lora\.alpha must be at least 1"),
        ("dpo", {"dropout": 1}, r"lora\.dropout must lie in"),
        ("dpo", {"r": 8}, r"Unknown setting lora\.r; did you mean lora\.rank"),
        ("dpo", {"target_modules": "q_proj,,v_proj"}, r"lora\.target_modules must be all-linear or names"),
        ("dpo", {"target_modules": "all-linear, q_proj"}, r"lora\.target_modules must be all-linear or names"),
        ("dpo", True, r"lora must be an object of its settings, got True"),
        ("ppo", {"dropout": 0.1}, r"lora\.dropout must be 0 for ppo"),
    ],
)
def test_settings_that_make_no_sense_are_refused(algorithm: str, lora: Any, message: str) -> None:
    with pytest.raises(InvalidConfiguration, match=message):
        parse_config(algorithm, {"lora": lora})


def test_weights_that_are_frozen_are_not_sharded() -> None:
    with pytest.raises(InvalidConfiguration, match="sharding is for runs that train all weights"):
        parse_config("dpo", {"lora": LORA, "num_devices": 2, "sharding": "fsdp2"})


def test_a_fresh_model_has_nothing_to_adapt(tmp_path: Path) -> None:
    directory = order(tmp_path / "run", "sft", {"lora": {}})
    assert carry_out(directory) == 1
    assert "leave lora out" in failure(directory)["error"]
