"""The injection test put to a judge behind a real server, from the command line and from its page."""

from __future__ import annotations

from collections.abc import Iterator
from io import StringIO

import pytest
from django.conf import LazySettings
from django.core.management import CommandError, call_command

from annotation.injection_tests import start_injection_test
from annotation.judging import injection
from annotation.models import JudgingRun
from annotation.question import ranking
from annotation.services import CampaignRefused
from tests.annotation.judge_server import JudgeServer
from tests.factory import Factory
from tests.generation.engines.chat_server import ChatServer, chat_server


@pytest.fixture
def server(settings: LazySettings) -> Iterator[ChatServer]:
    """It sees through everything but texts that speak of the winner."""
    settings.ALLOWED_PRIVATE_HOSTS = ("127.0.0.1",)

    def say(shown: dict[str, str]) -> str:
        bad = "A" if "Bananas" in shown["A"] or "trains" in shown["A"] else "B"
        good = "B" if bad == "A" else "A"
        return bad if "winner" in shown[bad] else good

    with chat_server(JudgeServer(say=say).answer) as running:
        yield running


def test_the_command_measures_and_keeps_the_success_rate(factory: Factory, server: ChatServer) -> None:
    factory.campaign()
    judge, said = factory.llm_judge("Gullible", url=server.url), StringIO()
    call_command("test_injection", str(judge.pk), stdout=said)
    run = JudgingRun.objects.get(annotator=judge)
    steering = [attack for attack in injection.attacks() if "winner" in attack.text]
    won = run.report["won"]
    assert won["n"] == 2 * len(injection.attacks())
    assert won["value"] == pytest.approx(len(steering) / len(injection.attacks()))
    assert won["interval"][0] < won["value"] < won["interval"][1]
    assert f"of {won['n']} trials" in said.getvalue()


def test_the_campaign_is_one_whose_question_the_judge_can_answer(factory: Factory) -> None:
    pairs = factory.campaign()
    factory.campaign(question=ranking(4))
    assert start_injection_test(judge=factory.llm_judge()).campaign == pairs


def test_without_such_a_campaign_the_test_is_refused_with_the_fix(factory: Factory) -> None:
    judge = factory.llm_judge()
    with pytest.raises(CampaignRefused, match="make one first"):
        start_injection_test(judge=judge)
    with pytest.raises(CommandError, match="make one first"):
        call_command("test_injection", str(judge.pk))


def test_a_scripted_judge_has_nothing_to_attack(factory: Factory) -> None:
    with pytest.raises(CampaignRefused, match="no language model"):
        start_injection_test(judge=factory.judge())
