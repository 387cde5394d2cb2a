"""Adapters on disk: what peft and we read of them, and what is left when they are merged."""

from __future__ import annotations

import json
from pathlib import Path
from typing import cast

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file
from torch import Tensor
from transformers import (
    AutoModelForCausalLM,
    AutoModelForSequenceClassification,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
)

from tests.training.algorithms.builders import ask, language_model, saved_model, tokenizer, trees
from tests.training.algorithms.test_adapters import LORA, WEIGHTS, disturb, logps
from training.algorithms.adapter_files import adapter_folder
from training.algorithms.batches import collate, completion_scores
from training.algorithms.config import LoRAConfig
from training.algorithms.models import (
    LanguageModel,
    ModelInvalid,
    RewardModel,
    load_language_model,
    load_reward_model,
    reward_model_from,
    with_adapter,
)
from training.algorithms.scoring import completion_logps, score_completions
from training.algorithms.vllm_sampler import write_weights
from training.algorithms.weights import load_weights, save_weights

IDS_1T = torch.arange(5, 15).unsqueeze(0)


def policy(base: Path, *, dtype: str = "float32") -> LanguageModel:
    """A policy with an adapter that says something, on a base on disk."""
    model = with_adapter(load_language_model(base, dtype=dtype), LoRAConfig(**LORA), base=str(base), seed=0)
    disturb(list(model.trained.values()))
    return model


def judge(base: Path, *, num_members: int = 1) -> RewardModel:
    """A reward model with an adapter and a head that both say something."""
    whole = reward_model_from(str(base), pad_id=0, num_members=num_members)
    model = with_adapter(whole, LoRAConfig(**LORA), base=str(base), seed=0)
    disturb(list(model.trained.values()))
    return model


def scores(model: RewardModel) -> Tensor:
    """Scores of some completions."""
    with torch.no_grad():
        return completion_scores(model, collate(trees(), pad_id=0))


@pytest.mark.parametrize("is_final", [False, True], ids=["adapter alone", "with the merged model"])
def test_a_policy_loads_as_it_was_saved(tmp_path: Path, is_final: bool) -> None:
    model = policy(Path(saved_model(tmp_path / "base")))
    save_weights(model, tmp_path / "saved", is_final=is_final)
    assert (tmp_path / "saved" / "model.safetensors").exists() == is_final
    torch.testing.assert_close(logps(load_language_model(tmp_path / "saved")), logps(model), atol=1e-4, rtol=0)


@pytest.mark.parametrize("num_members", [1, 3])
@pytest.mark.parametrize("is_final", [False, True], ids=["adapter alone", "with the merged model"])
def test_a_reward_model_keeps_its_head(tmp_path: Path, is_final: bool, num_members: int) -> None:
    model = judge(Path(saved_model(tmp_path / "base")), num_members=num_members)
    save_weights(model, tmp_path / "saved", is_final=is_final)
    loaded = load_reward_model(tmp_path / "saved")
    assert loaded.num_members == num_members
    assert torch.equal(loaded.head.weight, model.head.weight)
    torch.testing.assert_close(scores(loaded), scores(model), atol=1e-4, rtol=0)


def test_peft_reads_the_adapter_of_a_policy(tmp_path: Path) -> None:
    base = saved_model(tmp_path / "base")
    model = policy(Path(base))
    save_weights(model, tmp_path / "saved", is_final=False)
    theirs = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base), tmp_path / "saved" / "adapter")
    model.backbone  # noqa: B018 -- switches its adapter on
    torch.testing.assert_close(theirs(input_ids=IDS_1T).logits, model.network(input_ids=IDS_1T).logits)


def test_peft_reads_the_adapter_and_the_head_of_a_reward_model(tmp_path: Path) -> None:
    base = saved_model(tmp_path / "base")
    model = judge(Path(base))
    save_weights(model, tmp_path / "saved", is_final=False)
    network = AutoModelForSequenceClassification.from_pretrained(base, num_labels=1)
    network.config.pad_token_id = 0
    theirs = PeftModel.from_pretrained(network, tmp_path / "saved" / "adapter")
    hidden_1TD = model.backbone(input_ids=IDS_1T).last_hidden_state
    torch.testing.assert_close(theirs(input_ids=IDS_1T).logits[0], model.scores(hidden_1TD[:, -1]))


def test_an_adapter_goes_back_into_a_model_of_its_shape_bit_by_bit(tmp_path: Path) -> None:
    base = Path(saved_model(tmp_path / "base"))
    model = judge(base)
    save_weights(model, tmp_path / "saved", is_final=False)
    other = with_adapter(reward_model_from(str(base), pad_id=0), LoRAConfig(**LORA), base=str(base), seed=1)
    load_weights(other, tmp_path / "saved")
    assert torch.equal(scores(other), scores(model))


def test_bfloat16_merges_within_its_precision(tmp_path: Path) -> None:
    model = policy(Path(saved_model(tmp_path / "base")), dtype="bfloat16")
    save_weights(model, tmp_path / "saved", is_final=True)
    assert {tensor.dtype for tensor in load_file(tmp_path / "saved" / "model.safetensors").values()} == {torch.bfloat16}
    torch.testing.assert_close(logps(load_language_model(tmp_path / "saved")), logps(model), atol=0.5, rtol=0.05)


def test_a_network_with_tied_embeddings_merges_into_one(tmp_path: Path) -> None:
    config = cast(LlamaConfig, language_model().network.config)
    config.tie_word_embeddings = True
    torch.manual_seed(0)
    LlamaForCausalLM(config).save_pretrained(tmp_path / "base")
    model = policy(tmp_path / "base")
    save_weights(model, tmp_path / "saved", is_final=True)
    assert "lm_head.weight" not in load_file(tmp_path / "saved" / "model.safetensors")
    torch.testing.assert_close(logps(load_language_model(tmp_path / "saved")), logps(model), atol=1e-4, rtol=0)


def test_transposed_layers_merge_too(tmp_path: Path) -> None:
    torch.manual_seed(0)
    config = GPT2Config(n_embd=16, n_layer=2, n_head=2, vocab_size=len(tokenizer()), n_positions=64)
    network: PreTrainedModel = GPT2LMHeadModel(config)
    network.save_pretrained(tmp_path / "base")
    model = policy(tmp_path / "base")
    assert {name.split(".lora_")[0].rsplit(".", 1)[-1] for name in model.trained} == {"c_attn", "c_proj", "c_fc"}
    for is_final in (False, True):
        save_weights(model, tmp_path / f"saved-{is_final}", is_final=is_final)
        loaded = load_language_model(tmp_path / f"saved-{is_final}")
        torch.testing.assert_close(logps(loaded), logps(model), atol=1e-4, rtol=0)


def test_what_vllm_loads_to_sample_rollouts_is_merged(tmp_path: Path) -> None:
    model = policy(Path(saved_model(tmp_path / "base")))
    write_weights(model, tmp_path / "sampler")
    torch.testing.assert_close(logps(load_language_model(tmp_path / "sampler")), logps(model), atol=1e-4, rtol=0)


def test_checkpoints_of_adapters_score_like_whole_models(tmp_path: Path) -> None:
    base = Path(saved_model(tmp_path / "base"))
    for is_final in (False, True):
        for name, model in (("policy", policy(base)), ("judge", judge(base))):
            save_weights(model, tmp_path / name / str(is_final), is_final=is_final)
            tokenizer().save_pretrained(tmp_path / name / str(is_final))
    said = ([ask("Say bee.")], ["bee"])
    (alone,), (merged,) = (score_completions(tmp_path / "judge" / kind, *said) for kind in ("False", "True"))
    assert alone == pytest.approx(merged, abs=1e-4)
    (alone,), (merged,) = (completion_logps(tmp_path / "policy" / kind, *said) for kind in ("False", "True"))
    assert alone == pytest.approx(merged, abs=1e-4)


def test_an_adapter_on_an_adapter_is_merged_in_turn(tmp_path: Path) -> None:
    save_weights(policy(Path(saved_model(tmp_path / "base"))), tmp_path / "first", is_final=False)
    second = policy(tmp_path / "first")
    save_weights(second, tmp_path / "second", is_final=False)
    torch.testing.assert_close(logps(load_language_model(tmp_path / "second")), logps(second), atol=1e-4, rtol=0)


def saved(tmp_path: Path) -> Path:
    """The adapter's folder of a saved policy."""
    save_weights(policy(Path(saved_model(tmp_path / "base"))), tmp_path / "saved", is_final=False)
    return tmp_path / "saved" / "adapter"


def changed(folder: Path, **fields: object) -> None:
    """Other settings in an adapter's folder."""
    config = json.loads((folder / "adapter_config.json").read_text())
    (folder / "adapter_config.json").write_text(json.dumps({**config, **fields}))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"peft_type": "IA3"}, "is not that of a LoRA adapter"),
        ({"use_dora": True}, "uses use_dora; merge it with the tool that made it"),
        ({"base_model_name_or_path": None}, "names its base model"),
        ({"base_model_name_or_path": "/nowhere"}, r"/nowhere cannot be used: there is no config\.json"),
    ],
)
def test_an_adapter_that_cannot_be_merged_says_why(tmp_path: Path, fields: dict[str, object], message: str) -> None:
    folder = saved(tmp_path)
    changed(folder, **fields)
    with pytest.raises(ModelInvalid, match=message):
        load_language_model(folder.parent)


def test_a_rank_stabilised_adapter_of_others_is_scaled_by_the_root_of_its_rank(tmp_path: Path) -> None:
    folder = saved(tmp_path)
    changed(folder, use_rslora=True)
    theirs = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(tmp_path / "base"), folder)
    torch.testing.assert_close(
        load_language_model(folder).network(input_ids=IDS_1T).logits, theirs(input_ids=IDS_1T).logits
    )


def test_weights_that_are_cut_off_or_another_models_are_refused(tmp_path: Path) -> None:
    folder = saved(tmp_path)
    whole = (folder / WEIGHTS).read_bytes()
    (folder / WEIGHTS).write_bytes(whole[:100])
    with pytest.raises(ModelInvalid, match="cannot be read"):
        load_language_model(folder)
    (folder / WEIGHTS).write_bytes(whole)
    GPT2LMHeadModel(GPT2Config(n_embd=16, n_layer=2, n_head=2, vocab_size=280)).save_pretrained(tmp_path / "other")
    changed(folder, base_model_name_or_path=str(tmp_path / "other"))
    with pytest.raises(ModelInvalid, match="which its base does not have"):
        load_language_model(folder)


def test_a_folder_with_a_whole_model_is_no_adapter(tmp_path: Path) -> None:
    save_weights(policy(Path(saved_model(tmp_path / "base"))), tmp_path / "saved", is_final=True)
    assert adapter_folder(tmp_path / "saved") is None
    assert adapter_folder(tmp_path / "saved" / "adapter") == tmp_path / "saved" / "adapter"
    assert adapter_folder("some/hub-id") is None
