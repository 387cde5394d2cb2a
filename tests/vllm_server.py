"""A real vLLM server for the whole session: one start, a tiny Llama with random weights, 32-bit floats."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

TEXTS = ["Say cat twice.", "What is 3 plus 4?", "a dog and a cat", "yes or no", "Grüße aus dem Süden 🙂"]


def save_tiny_model(folder: Path) -> Path:
    """A model that vLLM can serve on a CPU: its heads are 32 wide."""
    from tests.generation.engines.tiny_model import build_model, build_tokenizer, save

    tokenizer = build_tokenizer(TEXTS)
    save(folder, build_model(tokenizer, hidden_size=128, max_length=1024), tokenizer)
    return folder


def save_tiny_adapter(folder: Path) -> Path:
    """A LoRA adapter of rank 8 for that model, as peft writes one: it moves the queries of every layer."""
    import json

    import torch
    from safetensors.torch import save_file
    from transformers import AutoConfig

    config = AutoConfig.from_pretrained(folder.parent / "model")
    folder.mkdir()
    said = {"peft_type": "LORA", "task_type": "CAUSAL_LM", "r": 8, "lora_alpha": 8, "target_modules": ["q_proj"]}
    (folder / "adapter_config.json").write_text(json.dumps(said))
    draw = torch.Generator().manual_seed(0)
    weights = {}
    for layer in range(config.num_hidden_layers):
        name = f"base_model.model.model.layers.{layer}.self_attn.q_proj"
        weights[f"{name}.lora_A.weight"] = torch.randn(8, config.hidden_size, generator=draw)
        weights[f"{name}.lora_B.weight"] = torch.randn(config.hidden_size, 8, generator=draw)
    save_file(weights, folder / "adapter_model.safetensors")
    return folder


@pytest.fixture(scope="session")
def tiny_model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model behind `vllm_server`."""
    return save_tiny_model(tmp_path_factory.mktemp("tiny-llama"))


@pytest.fixture(scope="session")
def vllm_server(tiny_model_folder: Path) -> Iterator[object]:
    """The `ManagedServer` of the session; it serves "tiny". Starting it takes about half a minute."""
    from generation import serving
    from generation.vllm_command import ServeOptions, VllmMissing

    options = ServeOptions(port=serving.free_port(), dtype="float32")
    try:
        with serving.serve(str(tiny_model_folder), served_name="tiny", options=options) as server:
            yield server
    except VllmMissing as missing:
        pytest.skip(str(missing))
