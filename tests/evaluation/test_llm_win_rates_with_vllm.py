"""A win rate by a judge behind a real vLLM server."""

from __future__ import annotations

import pytest

from annotation.models import JudgeCall
from generation.models import LanguageModel
from generation.serving import ManagedServer
from tests.annotation.test_judging_with_vllm import SHORT
from tests.evaluation.contests import carry_out, start_contest
from tests.factory import Factory

pytestmark = pytest.mark.vllm


def test_a_vllm_server_compares_two_models(factory: Factory, vllm_server: ManagedServer) -> None:
    judge = factory.llm_judge(
        url=vllm_server.url, protocol="pairwise_logprobs", template=SHORT.to_json(), conflict="mean"
    )
    LanguageModel.objects.filter(judge_versions__judge=judge).update(location="tiny")
    run = carry_out(start_contest(factory, [("cat", "dog"), ("dog", "cat twice"), ("a", "b")], judge=judge))
    assert run.results.get(metric="win_rate").num_items == 3
    assert set(run.pairs.values_list("state", flat=True)) == {"judged"}
    calls = JudgeCall.objects.filter(evaluation__pair__run=run)
    assert calls.count() == 6
    assert all(call.reply in "ABC" and call.model_revision.startswith("tiny vllm-") for call in calls)
