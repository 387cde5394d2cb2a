"""What a configuration refuses, and how it says so."""

from __future__ import annotations

import subprocess
import sys

import pytest

from training.algorithms import presets
from training.algorithms.config import CONFIGS, DPOConfig, InvalidConfiguration, SFTConfig, config_fields, parse_config


@pytest.mark.parametrize("algorithm", CONFIGS)
def test_defaults_survive_json(algorithm: str) -> None:
    config = CONFIGS[algorithm]()
    assert parse_config(algorithm, config_fields(config)) == config


@pytest.mark.parametrize(
    ("algorithm", "fields", "message"),
    [
        ("dpo", {"learning_rat": 1.0}, "Unknown setting learning_rat; did you mean learning_rate?"),
        ("sft", {"fresh": {"hidden": 8}}, "Unknown setting fresh.hidden; did you mean fresh.hidden_size?"),
        ("sft", {"beta": 0.1}, "Unknown setting beta; did you mean"),
        ("dpo", {"beta": 0}, "beta must be positive, got 0"),
        ("dpo", {"beta": float("nan")}, "beta must be finite"),
        ("dpo", {"loss": "best"}, "loss must be one of sigmoid, ipo, hinge, got 'best'"),
        ("dpo", {"label_smoothing": 0.5}, "label_smoothing must lie in"),
        ("reward", {"batch_size": "8"}, "batch_size must be int, got '8'"),
        ("reward", {"batch_size": True}, "batch_size must be int, got True"),
        ("reward", {"groups_by_length": 1}, "groups_by_length must be bool, got 1"),
        ("reward", {"batch_size": 2.5}, "batch_size must be int, got 2.5"),
        ("reward", {"centring": -1.0}, "centring may not be negative"),
        ("sft", {"stop_at_exact": 0.5}, "stop_at_exact needs eval_every above 0"),
        ("sft", {"max_steps": 0}, "max_steps must be positive or null, got 0"),
        ("sft", {"fresh": {"hidden_size": 10, "num_heads": 4}}, "must be an even multiple"),
        ("sft", {"fresh": {"vocab_size": 10}}, "fresh.vocab_size must be at least 270"),
        ("ppo", {"num_minibatches": 9, "batch_size": 8}, r"num_minibatches \(9\) may not exceed batch_size \(8\)"),
        ("ppo", {"gamma": 1.5}, "gamma must lie between 0 and 1"),
        ("reward", {"ties": "guess"}, "ties must be one of none, rao_kupper, davidson, got 'guess'"),
        ("reward", {"tie_rate": 1.0}, "tie_rate must lie between 0 and 1"),
        ("reward", {"margin": -1.0}, "margin may not be negative"),
        (
            "reward",
            {"soft_labels": True, "label_smoothing": 0.1},
            "both say how sure a label is: leave one of them out",
        ),
        ("reward", {"ranking_loss": "list"}, "ranking_loss must be one of pairs, plackett_luce"),
        ("reward", {"ranking_loss": "plackett_luce", "ties": "davidson"}, "ties has no meaning for plackett_luce"),
        ("reward", {"ranking_loss": "plackett_luce", "margin": 1.0}, "or set ranking_loss to pairs"),
        ("dpo", {"robust": True}, "robust needs label_smoothing above 0"),
        ("dpo", {"soft_labels": True, "label_smoothing": 0.1}, "leave one of them out"),
        ("kto", {"desirable_weight": -1.0}, "desirable_weight may not be negative"),
        ("kto", {"desirable_weight": 0, "undesirable_weight": 0}, "nothing would be learnt"),
        ("kto", {"beta": 0}, "beta must be positive"),
        ("orpo", {"odds_weight": 0}, "odds_weight must be positive, got 0.0; for 0 there is sft"),
        ("simpo", {"target_margin": -0.1}, "target_margin may not be negative"),
        ("simpo", {"beta": -1}, "beta must be positive"),
        ("ppo", {"kl_target": 6.0, "beta": 0}, "set beta above 0, or leave kl_target out"),
        ("ppo", {"guards": "shout"}, "guards must be one of off, alert, stop"),
        ("grpo", {}, "algorithm must be one of sft, reward, dpo, kto, orpo, simpo, ppo, got 'grpo'"),
    ],
)
def test_a_wrong_setting_is_named(algorithm: str, fields: dict[str, object], message: str) -> None:
    with pytest.raises(InvalidConfiguration, match=message) as caught:
        parse_config(algorithm, fields)
    assert caught.value.kind == "configuration"


def test_whole_numbers_serve_as_fractions_and_null_as_absence() -> None:
    config = parse_config("dpo", {"beta": 1, "max_steps": None})
    assert isinstance(config, DPOConfig)
    assert isinstance(config.beta, float)
    assert config.max_steps is None


def test_a_nested_configuration_is_a_dataclass_again() -> None:
    config = parse_config("sft", {"fresh": {"num_layers": 3}})
    assert isinstance(config, SFTConfig)
    assert config.fresh.num_layers == 3


def test_ipo_averages_over_the_length_unless_it_is_told_to_sum_and_the_others_sum_unless_told_to_average() -> None:
    assert DPOConfig(loss="ipo").is_per_token
    assert not DPOConfig(loss="ipo", length_normalised=False).is_per_token
    assert not DPOConfig().is_per_token
    assert DPOConfig(length_normalised=True).is_per_token


def test_every_preset_fits_its_fresh_models_context() -> None:
    assert presets.StarterSizes().max_new_tokens <= presets.starter_ppo().max_completion_tokens
    for sft, others in (
        (presets.starter_sft(), [presets.starter_reward(), presets.starter_dpo(), presets.starter_ppo()]),
        (
            presets.dialogues_sft(),
            [
                presets.dialogues_reward(),
                presets.dialogues_dpo(),
                presets.dialogues_kto(),
                presets.dialogues_orpo(),
                presets.dialogues_simpo(),
            ],
        ),
    ):
        for config in (sft, *others):
            assert config.max_prompt_tokens + config.max_completion_tokens <= sft.fresh.context_tokens


def test_settings_are_known_without_torch() -> None:
    code = "import sys; from training.algorithms import config, presets, spec; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
