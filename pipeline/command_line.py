"""The options of a pipeline on the command line, shared by `run_pipeline` and `demo`."""

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from pipeline.options import PipelineOptions


def add_arguments(parser: ArgumentParser) -> None:
    """Declare what `options_from` reads."""
    parser.add_argument("--seed", type=int, default=0, help="of prompts, training, sampling and bootstrap")
    parser.add_argument("--data", default="", help="preference pairs to learn from: a JSONL file, .gz too")
    parser.add_argument("--model", default="", help="folder or hub id to start from (default: a small fresh Llama)")
    parser.add_argument("--vllm-url", default="", help="sample candidates from this OpenAI-compatible server")
    parser.add_argument("--sizes", type=json.loads, default={}, help="JSON: other sizes than the preset's")
    parser.add_argument("--configs", type=json.loads, default={}, help="JSON: algorithm → configuration fields")


def options_from(values: dict[str, Any]) -> PipelineOptions:
    """Raises `OptionsInvalid` for options that contradict each other."""
    return PipelineOptions(
        kind="pairs" if values["data"] else "starter",
        seed=values["seed"],
        data=_absolute(values["data"]),
        model=_absolute(values["model"]) if Path(values["model"]).is_dir() else values["model"],
        vllm_url=values["vllm_url"],
        sizes=values["sizes"],
        configs=values["configs"],
    )


def _absolute(path: str) -> str:
    """Workers run elsewhere: a path must not depend on where it was typed."""
    return str(Path(path).expanduser().resolve()) if path else ""
