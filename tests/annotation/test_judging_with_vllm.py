"""A judge behind a real vLLM server judges a campaign."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest
from django.conf import settings

from annotation import judge_versions, runner, services
from annotation.judging import Template
from annotation.models import Campaign, JudgingRun, Judgment
from core import jobs
from core.models import Device
from generation.serving import ManagedServer
from tests.factory import Factory
from tests.fake_vllm import gone
from tests.vllm_server import save_tiny_adapter, save_tiny_model

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


@pytest.mark.django_db(transaction=True)
def test_a_run_has_a_server_of_its_own_that_speaks_with_the_judges_adapter(
    factory: Factory, campaign: Campaign, tmp_path: Path
) -> None:
    """The whole way with the real vLLM: slow, because it starts one of its own."""
    if not (settings.VLLM_DIR / "bin" / "python").exists():
        pytest.skip("There is no vLLM in .venv-vllm. Install it with: make vllm")
    model = factory.model("Tiny", location=save_tiny_model(tmp_path / "model"))
    adapter = save_tiny_adapter(tmp_path / "adapter")
    judge = judge_versions.create_llm_judge(
        workspace=campaign.workspace,
        name="Tiny",
        protocol="pairwise_verdict",
        model=model,
        adapter=str(adapter),
        parameters={"template": SHORT.to_json(), "conflict": "tie"},
    )
    started = services.start_judging_run(campaign=campaign, annotator=judge, uses_managed_server=True)
    before = set(psutil.Process().children(recursive=True))
    jobs.perform(JudgingRun, started.pk, runner.judge)
    started.refresh_from_db()
    assert (started.status, started.error) == ("finished", "")
    assert Judgment.objects.filter(annotator=judge).count() == NUM_COMPARISONS
    assert {call.model_revision.split(" ")[0] for call in started.calls.all()} == {str(adapter)}
    assert gone([one for one in psutil.Process().children(recursive=True) if one not in before])
    assert [device.holder for device in Device.objects.all()] == [""]
