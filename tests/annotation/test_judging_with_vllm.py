"""A judge behind a real vLLM server judges a campaign."""

from __future__ import annotations

import pytest

from annotation import judge_versions, runner, services
from annotation.judging import Template
from annotation.models import Campaign, JudgingRun, Judgment
from core import jobs
from generation.serving import ManagedServer
from tests.factory import Factory

pytestmark = pytest.mark.vllm

SHORT = Template(name="short", version=1, system="", user="{prompt}\n{replies}\n{code}\n{reply_form}")
NUM_COMPARISONS = 6


@pytest.fixture
def campaign(factory: Factory) -> Campaign:
    """Short texts: the model behind the server has a small context."""
    campaign = factory.campaign(annotators=[])
    for number in range(NUM_COMPARISONS):
        prompt = factory.prompt()
        factory.comparison(campaign, prompt, completions=factory.completions(prompt, (f"cat {number}", "dog")))
    return campaign


@pytest.mark.parametrize("protocol", ["pairwise_verdict", "pairwise_logprobs"])
def test_a_vllm_server_judges_a_campaign(
    factory: Factory, campaign: Campaign, vllm_server: ManagedServer, protocol: str
) -> None:
    model = factory.model(source="served", location="tiny", endpoint_url=vllm_server.url)
    judge = judge_versions.create_llm_judge(
        workspace=campaign.workspace,
        name="Tiny",
        protocol=protocol,
        model=model,
        parameters={"template": SHORT.to_json(), "conflict": "mean"},
    )
    started = services.start_judging_run(campaign=campaign, annotator=judge)
    jobs.perform(JudgingRun, started.pk, runner.judge)
    started.refresh_from_db()
    assert (started.status, started.error) == ("finished", "")
    assert Judgment.objects.filter(annotator=judge).count() == NUM_COMPARISONS
    assert set(started.calls.values_list("outcome", "reply")) <= {("verdict", letter) for letter in "ABC"}
    assert all(call.model_revision.startswith("tiny vllm-") for call in started.calls.all())
    verdicts = list(started.verdicts.all())
    assert len(verdicts) == NUM_COMPARISONS
    if protocol == "pairwise_logprobs":
        assert all(0 < (verdict.preference or 0) < 1 for verdict in verdicts)
