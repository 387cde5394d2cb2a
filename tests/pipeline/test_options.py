from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

import pytest

from pipeline import command_line
from pipeline.options import OptionsInvalid, PipelineOptions


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"kind": "poems"}, "kind must be one of starter, pairs"),
        ({"kind": "pairs"}, "needs data"),
        ({"data": "pairs.jsonl"}, "the starter one takes none"),
        ({"kind": "pairs", "data": "pairs.jsonl", "vllm_url": "http://x"}, "leave vllm_url empty"),
        ({"seed": -1}, "seed must be"),
        ({"seed": 2**31}, "seed must be"),
        ({"seed": "7"}, "seed must be"),
        ({"sizes": 3}, "must be JSON objects"),
    ],
)
def test_options_that_contradict_each_other_are_refused(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(OptionsInvalid, match=words):
        PipelineOptions(**fields)


def test_options_survive_json() -> None:
    options = PipelineOptions(seed=7, sizes={"num_prompts": 5}, configs={"sft": {"batch_size": 2}})
    assert PipelineOptions.from_json(options.to_json()) == options


def test_an_unknown_option_is_refused() -> None:
    with pytest.raises(OptionsInvalid, match="Unknown option 'sead'"):
        PipelineOptions.from_json({"sead": 1})


def from_words(*words: str) -> PipelineOptions:
    parser = ArgumentParser()
    command_line.add_arguments(parser)
    return command_line.options_from(vars(parser.parse_args(words)))


def test_no_words_are_the_starter_pipeline() -> None:
    assert from_words() == PipelineOptions()


def test_a_file_of_pairs_is_named_absolutely(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    options = from_words("--data", "pairs.jsonl", "--seed", "3")
    assert (options.kind, options.data, options.seed) == ("pairs", str(tmp_path / "pairs.jsonl"), 3)


def test_a_folder_is_named_absolutely_and_a_hub_id_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "base").mkdir()
    assert from_words("--model", "base").model == str(tmp_path / "base")
    assert from_words("--model", "org/name").model == "org/name"


def test_sizes_and_configs_are_json() -> None:
    options = from_words("--sizes", '{"num_prompts": 9}', "--configs", '{"sft": {"batch_size": 2}}')
    assert (options.sizes, options.configs) == ({"num_prompts": 9}, {"sft": {"batch_size": 2}})
