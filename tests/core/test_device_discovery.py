"""Which devices a machine has: what nvidia-smi prints is a recording, its program here a script of the same name."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.device_discovery import devices_here, gpus_of, visible

LISTED = """0, GPU-3f2a1c77-0000-0000-0000-000000000001, NVIDIA H100 80GB HBM3
1, GPU-9b1e4d20-0000-0000-0000-000000000002, NVIDIA H100 80GB HBM3
2, GPU-9b77aa10-0000-0000-0000-000000000003, NVIDIA A100-SXM4-40GB, of another make
"""


def test_a_gpu_is_known_by_its_uuid_and_called_by_its_index() -> None:
    first, _, third = gpus_of(LISTED)
    assert (first.key, first.visible_as) == ("GPU-3f2a1c77-0000-0000-0000-000000000001", "0")
    assert (first.kind, first.name) == ("gpu", "0: NVIDIA H100 80GB HBM3")
    assert third.name == "2: NVIDIA A100-SXM4-40GB, of another make"


@pytest.mark.parametrize("listed", ["", "No devices were found\n", "NVIDIA-SMI has failed because it couldn't\n"])
def test_other_words_of_nvidia_smi_are_no_gpus(listed: str) -> None:
    assert gpus_of(listed) == []


@pytest.mark.parametrize(
    ("chosen", "indexes"),
    [
        (None, ["0", "1", "2"]),
        ("2,0", ["2", "0"]),
        ("", []),
        ("-1", []),
        ("0,-1,1", ["0"]),
        ("GPU-3f2a", ["0"]),
        ("GPU-9b", []),  # two of them
        ("NoDevFiles", []),
        ("MIG-8f1c", ["MIG-8f1c"]),
    ],
)
def test_only_what_cuda_visible_devices_names_is_there(chosen: str | None, indexes: list[str]) -> None:
    assert [gpu.visible_as for gpu in visible(gpus_of(LISTED), chosen)] == indexes


def with_nvidia_smi(folder: Path, script: str) -> dict[str, str]:
    program = folder / "nvidia-smi"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return {"PATH": str(folder)}


def test_the_gpus_of_the_machine_are_asked_for(tmp_path: Path) -> None:
    variables = with_nvidia_smi(tmp_path, 'echo "0, GPU-1, $1 $2"')
    [gpu] = devices_here(variables, num_cpu_slots=4)
    assert gpu.name == "0: --query-gpu=index,uuid,name --format=csv,noheader"


@pytest.mark.parametrize("script", ["exit 9", "echo", "exit 0"])
def test_a_machine_without_a_working_gpu_has_slots_of_its_cpu(tmp_path: Path, script: str) -> None:
    found = devices_here(with_nvidia_smi(tmp_path, script), num_cpu_slots=2)
    assert [(one.kind, one.name) for one in found] == [("cpu", "CPU slot 0"), ("cpu", "CPU slot 1")]


def test_without_nvidia_smi_there_are_slots_of_the_cpu(tmp_path: Path) -> None:
    assert [one.visible_as for one in devices_here({"PATH": str(tmp_path)}, num_cpu_slots=1)] == [""]
