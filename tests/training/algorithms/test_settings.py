"""Settings as forms and documents show them."""

from __future__ import annotations

from dataclasses import asdict

import pytest

from training.algorithms.config import CONFIGS, LoRAConfig, config_fields, parse_config
from training.algorithms.settings import flat, nested, presets_of, settings_of


@pytest.mark.parametrize("algorithm", list(CONFIGS))
def test_every_setting_has_its_default_and_an_explanation(algorithm: str) -> None:
    defaults = flat(config_fields(CONFIGS[algorithm]()))

    settings = settings_of(algorithm)

    adapter = {f"lora.{name}": value for name, value in asdict(LoRAConfig()).items()}  # there, but switched off
    assert {one.name: one.default for one in settings} == defaults | adapter
    assert all(one.meaning for one in settings)


def test_a_subclass_explains_its_own_fields_and_inherits_the_others() -> None:
    settings = {one.name: one for one in settings_of("ppo")}

    assert settings["batch_size"].meaning == "prompts of one rollout"
    assert settings["num_epochs"].meaning == "passes over the training rows"
    assert settings["batch_size"].is_common
    assert not settings["gamma"].is_common


def test_a_comment_on_another_line_of_the_field_is_found() -> None:
    (smoothing,) = [one for one in settings_of("dpo") if one.name == "label_smoothing"]

    assert smoothing.meaning.startswith("probability that a judgment has its sides swapped")


def test_types_choices_and_null_are_known() -> None:
    settings = {one.name: one for one in settings_of("dpo")}

    assert settings["loss"].choices == ("sigmoid", "ipo", "hinge")
    assert (settings["length_normalised"].type, settings["length_normalised"].may_be_null) == (bool, True)
    assert (settings["max_steps"].type, settings["max_steps"].may_be_null) == (int, True)


@pytest.mark.parametrize("algorithm", list(CONFIGS))
def test_every_algorithm_has_a_preset_that_its_own_parser_reads(algorithm: str) -> None:
    presets = presets_of(algorithm)

    assert presets
    for preset in presets:
        assert preset.about
        assert nested(flat(preset.fields)) == preset.fields
        assert config_fields(parse_config(algorithm, preset.fields)) == preset.fields


def test_an_adapter_is_switched_on_by_a_field_of_its_own() -> None:
    said = {one.name: one.default for one in settings_of("dpo")}

    assert nested(said)["lora"] is None
    assert parse_config("dpo", nested({**said, "lora": True, "lora.rank": 4})).lora == LoRAConfig(rank=4)
    assert flat({"lora": None}) == {"lora": False}
    assert flat({"lora": {"rank": 4}}) == {"lora": True, "lora.rank": 4}
