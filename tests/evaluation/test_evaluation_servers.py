"""Evaluations whose judge has a vLLM server of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psutil
import pytest

from annotation import judge_versions
from annotation.models import Annotator
from core.models import Device
from evaluation.models import EvaluationRun
from evaluation.services import EvaluationRefused
from generation.vllm_command import ServingRefused
from tests.evaluation.contests import carry_out, start_contest
from tests.factory import Factory
from tests.fake_vllm import gone
from tests.vllm_server import save_tiny_model

LEVEL = [("one", "two"), ("three", "four")]


def local_judge(factory: Factory, **fields: Any) -> Annotator:
    return judge_versions.create_llm_judge(
        workspace=factory.workspace(), name="Local", protocol="pairwise_verdict", model=factory.model(**fields)
    )


def test_the_server_lasts_as_long_as_the_judge_is_asked(
    factory: Factory, fake_vllm: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_FAKE_REPLY", "A")
    judge = local_judge(factory, location=save_tiny_model(tmp_path / "model"))
    before = psutil.Process().children(recursive=True)
    run = carry_out(start_contest(factory, LEVEL, judge=judge, conflict="tie", uses_managed_server=True))
    assert run.results.get(metric="win_rate").value == 0.5
    assert gone([one for one in psutil.Process().children(recursive=True) if one not in before])
    assert [device.holder for device in Device.objects.all()] == [""]


def test_judges_without_weights_here_can_have_no_server(factory: Factory) -> None:
    with pytest.raises(ServingRefused, match="no weights here"):
        start_contest(factory, LEVEL, judge=factory.llm_judge(), uses_managed_server=True)


def test_scripted_judges_have_no_server(factory: Factory) -> None:
    with pytest.raises(EvaluationRefused, match="judges with a language model"):
        start_contest(factory, LEVEL, judge=factory.judge(), uses_managed_server=True)
    assert not EvaluationRun.objects.exists()
