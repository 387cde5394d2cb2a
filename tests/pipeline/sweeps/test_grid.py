"""Grids: which points come of them, and what is refused in which words."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.sweeps.grid import (
    SweepRefused,
    config_at,
    grid_from,
    in_words,
    numeric_settings,
    points_of,
    setting_from,
)
from training.algorithms.config import CONFIGS, parse_config


def test_every_combination_is_a_point_and_the_first_setting_varies_slowest() -> None:
    points = points_of("dpo", {"beta": [0.1, 0.2], "learning_rate": [1e-5, 1e-4]}, config={}, seed=7)
    assert [(p.values["beta"], p.values["learning_rate"], p.seed) for p in points] == [
        (0.1, 1e-5, 7),
        (0.1, 1e-4, 7),
        (0.2, 1e-5, 7),
        (0.2, 1e-4, 7),
    ]


def test_each_point_has_its_seeds_in_a_row() -> None:
    points = points_of("dpo", {"beta": [0.1, 0.2]}, config={}, seed=3, num_seeds=2)
    assert [(p.values["beta"], p.seed) for p in points] == [(0.1, 3), (0.1, 4), (0.2, 3), (0.2, 4)]


@pytest.mark.parametrize(
    ("grid", "options", "words"),
    [
        ({}, {}, "at least one setting"),
        ({"bta": [1, 2]}, {}, "no numeric setting 'bta'; did you mean beta"),
        ({"loss": ["ipo", "hinge"]}, {}, "no numeric setting 'loss'"),
        ({"groups_by_length": [True, False]}, {}, "no numeric setting 'groups_by_length'"),
        ({"beta": []}, {}, "beta has no values"),
        ({"beta": ["0.1", "0.2"]}, {}, "must take numbers, got '0.1'"),
        ({"beta": [True, 0.5]}, {}, "must take numbers, got True"),
        ({"beta": [0.1, 0.1]}, {}, "a value twice; num_seeds"),
        ({"beta": [0.1, 0.2]}, {"config": {"beta": 0.3}}, "swept and set"),
        ({"beta": [0.1]}, {}, "a single run"),
        ({"beta": [n / 100 for n in range(1, 66)]}, {}, "65 are 65 runs, a sweep has 64 at most"),
        ({"beta": [0.1, 0.2]}, {"num_seeds": 0}, "num_seeds must lie in 1–10"),
        (
            {"beta": [n / 10 for n in range(1, 10)], "batch_size": [8, 16]},
            {"num_seeds": 4},
            "9 × 2 × 4 seeds are 72 runs",
        ),
    ],
)
def test_grids_that_make_no_sense_are_refused(grid: dict[str, Any], options: dict[str, Any], words: str) -> None:
    with pytest.raises(SweepRefused, match=words):
        points_of("dpo", grid, **{"config": {}, **options})


def test_nested_settings_are_named_with_a_dot() -> None:
    assert numeric_settings("sft")["fresh.num_layers"] == 4
    config = config_at({"fresh": {"hidden_size": 64, "num_heads": 2}}, {"fresh.num_layers": 2, "learning_rate": 0.01})
    assert config == {"fresh": {"hidden_size": 64, "num_heads": 2, "num_layers": 2}, "learning_rate": 0.01}
    with pytest.raises(SweepRefused, match=r"fresh\.num_layers is swept and set"):
        points_of("sft", {"fresh.num_layers": [1, 2]}, config={"fresh": {"num_layers": 3}})


def test_the_given_configuration_stays_as_it_was() -> None:
    config = {"fresh": {"num_layers": 1}}
    config_at(config, {"fresh.hidden_size": 64})
    assert config == {"fresh": {"num_layers": 1}}


@pytest.mark.parametrize("algorithm", CONFIGS)
def test_every_numeric_setting_is_accepted_by_the_configuration(algorithm: str) -> None:
    settings = {name: default for name, default in numeric_settings(algorithm).items() if default is not None}
    assert {"learning_rate", "batch_size"} <= set(settings)
    assert "dtype" not in settings
    of_objects_that_are_there = {name: value for name, value in settings.items() if not name.startswith("lora.")}
    assert parse_config(algorithm, config_at({}, of_objects_that_are_there)) == parse_config(algorithm, {})
    assert parse_config(algorithm, config_at({}, {"lora.rank": 3})) != parse_config(algorithm, {})


@pytest.mark.parametrize(
    ("text", "name", "values"),
    [
        ("beta = 0.05, 0.1", "beta", [0.05, 0.1]),
        ("batch_size=8,16", "batch_size", [8, 16]),
        (" learning_rate = 5e-6 ", "learning_rate", [5e-6]),
    ],
)
def test_a_setting_is_read_from_a_line(text: str, name: str, values: list[float]) -> None:
    assert setting_from(text) == (name, values)
    assert [type(value) for value in setting_from(text)[1]] == [type(value) for value in values]


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (["beta"], "such as beta = 0.05"),
        (["= 1, 2"], "such as beta = 0.05"),
        (["beta = 0,1; 0,2"], "'1; 0' is no number"),
        (["beta = 0.1,"], "'' is no number"),
        (["beta = 0.1", "beta = 0.2"], "beta is there twice"),
    ],
)
def test_lines_that_cannot_be_read_are_refused(lines: list[str], words: str) -> None:
    with pytest.raises(SweepRefused, match=words):
        grid_from(lines)


def test_values_are_written_briefly() -> None:
    assert in_words({"beta": 0.1, "learning_rate": 0.00001}) == "beta 0.1, learning_rate 1e-05"
