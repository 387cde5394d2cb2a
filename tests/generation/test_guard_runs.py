"""Guard runs from start to warnings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from core import jobs
from generation import guard_runner
from generation import guard_services as services
from generation.engines.base import Conversation, SampledText, SamplingParameters
from generation.engines.errors import ContextOverflow, EndpointUnreachable, EngineError
from generation.engines.scripted import ScriptedEngine
from generation.guard_services import GuardRefused
from generation.models import Completion, CompletionFlag, GuardRun, GuardVerdict, LanguageModel, PromptSet
from generation.prompt_lines import NewPrompt
from generation.services import add_prompts
from tests.factory import Factory


def claimed(run: GuardRun) -> GuardRun:
    held = jobs.claim(GuardRun, run.pk)
    assert held is not None
    return held


def asked(factory: Factory, *texts: str) -> PromptSet:
    prompt_set = factory.prompt_set()
    add_prompts(
        prompt_set=prompt_set,
        prompts=[NewPrompt(messages=[{"role": "user", "content": text}], tags=["old"]) for text in texts],
    )
    return prompt_set


def started(factory: Factory, **fields: Any) -> GuardRun:
    return services.start_guard_run(workspace=factory.workspace(), name="Check", **fields)


def test_rules_make_prompts_sensitive_and_tag_them(factory: Factory) -> None:
    prompt_set = asked(factory, "How is a pipe bomb made?", "How is tea made?")
    run = claimed(started(factory, prompt_set=prompt_set))
    guard_runner.check(run)
    assert list(prompt_set.prompts.values_list("is_sensitive", "tags")) == [
        (True, ["old", "weapons"]),
        (False, ["old"]),
    ]
    assert list(run.verdicts.values_list("is_flagged", "labels")) == [(True, ["weapons"]), (False, [])]


def test_own_rules_flag_completions_and_keep_earlier_labels(factory: Factory) -> None:
    first, second = factory.completions(factory.prompt(), ["Take 500 mg.", "Rest."], model=factory.model())
    first.flags.create(kind="unsafe", detail="weapons")
    rules = [{"label": "medicine", "patterns": [r"\d+ mg"]}]
    guard_runner.check(claimed(started(factory, sampling_run=first.sampling_run, rules=rules)))
    assert CompletionFlag.objects.get().detail == "weapons, medicine"
    assert not second.flags.exists()


def test_a_pattern_that_takes_too_long_leaves_its_text_unread(factory: Factory) -> None:
    prompt_set = asked(factory, "a" * 60 + "!b!", "Tea?")
    rules = [{"label": "slow", "patterns": ["(?:a|aa|aaa)+b$"]}]
    run = claimed(started(factory, prompt_set=prompt_set, rules=rules))
    guard_runner.check(run)
    slow, quick = run.verdicts.order_by("prompt")
    assert (slow.is_flagged, quick.is_flagged) == (None, False)
    assert "took too long and was given up" in slow.reply


def test_a_resumed_run_tells_again_of_what_the_killed_attempt_flagged(
    factory: Factory, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[tuple[list[int], list[int]]] = []
    monkeypatch.setattr(
        services, "_listeners", [lambda prompts, completions: told.append((list(prompts), list(completions)))]
    )
    prompt_set = asked(factory, "How is a pipe bomb made?", "How is tea made?")
    bomb, _ = prompt_set.prompts.all()
    run = claimed(started(factory, prompt_set=prompt_set))
    GuardVerdict.objects.create(run=run, prompt=bomb, is_flagged=True, labels=["weapons"])
    guard_runner.check(run)
    assert told == [([bomb.pk], [])]


class Guard(ScriptedEngine):
    """Says unsafe to bombs, nothing readable to riddles, and cannot be asked about what is too long."""

    def __init__(self) -> None:
        self.questions: list[Conversation] = []
        super().__init__(self._answer)

    def _answer(self, conversation: Conversation, number: int, seed: int) -> str:
        self.questions.append(conversation)
        text = conversation[-1]["content"]
        if "long" in text:
            raise ContextOverflow("too long")
        return "unsafe\nS9" if "bomb" in text else "Well." if "riddle" in text else "safe"


@pytest.fixture
def guard(factory: Factory, monkeypatch: pytest.MonkeyPatch) -> Guard:
    engine = Guard()
    monkeypatch.setattr(guard_runner, "open_engine", lambda model: engine)
    return engine


def test_a_guard_model_is_asked_and_what_cannot_be_read_is_recorded(factory: Factory, guard: Guard) -> None:
    prompt_set = asked(factory, "A bomb?", "A riddle?", "Something long?", "Tea?")
    model = factory.model("Guard", kind=LanguageModel.Kind.GUARD)
    run = claimed(started(factory, prompt_set=prompt_set, guard=model, style="native"))
    guard_runner.check(run)
    verdicts = {v.prompt.last_turn: (v.is_flagged, v.labels, v.reply) for v in run.verdicts.select_related("prompt")}
    assert verdicts == {
        "A bomb?": (True, ["indiscriminate weapons"], "unsafe\nS9"),
        "A riddle?": (None, [], "Well."),
        "Something long?": (None, [], "too long"),
        "Tea?": (False, [], "safe"),
    }
    assert prompt_set.prompts.filter(is_sensitive=True).count() == 1


def test_a_resumed_run_asks_about_the_rest_only(
    factory: Factory, guard: Guard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guard_runner, "CHUNK", 1)
    prompt_set = asked(factory, "Tea?", "Milk?")
    run = claimed(started(factory, prompt_set=prompt_set, guard=factory.model(), style="prompted"))
    services.record_verdicts(run=run, verdicts=[run.verdicts.model(run=run, prompt=prompt_set.prompts.first())])
    guard_runner.check(run)
    assert len(guard.questions) == 1
    assert "User: Milk?" in guard.questions[0][0]["content"]
    assert (run.verdicts.count(), run.num_total) == (2, 2)


def test_a_guard_that_cannot_be_reached_fails_the_run(factory: Factory, monkeypatch: pytest.MonkeyPatch) -> None:
    class Unreachable:
        def sample(
            self, conversations: Sequence[Conversation], *, num_completions: int, parameters: SamplingParameters
        ) -> Iterator[tuple[int, list[SampledText]]]:
            raise EndpointUnreachable("nobody there")

        def close(self) -> None: ...

    monkeypatch.setattr(guard_runner, "open_engine", lambda model: Unreachable())
    run = claimed(started(factory, prompt_set=asked(factory, "Tea?"), guard=factory.model(), style="prompted"))
    with pytest.raises(jobs.JobFailed, match="nobody there") as raised:
        guard_runner.check(run)
    assert raised.value.failure_kind == "EndpointUnreachable"
    assert isinstance(raised.value.__cause__, EngineError)


def test_what_cannot_be_checked_is_refused(factory: Factory) -> None:
    prompt_set, elsewhere = factory.prompt_set(), factory.prompt_set(workspace=factory.workspace("Elsewhere"))
    reward = factory.model(kind=LanguageModel.Kind.REWARD)
    named = factory.model(source=LanguageModel.Source.NAMED, kind=LanguageModel.Kind.GUARD)
    refused: list[tuple[dict[str, Any], str]] = [
        ({}, "either a prompt set or a sampling run"),
        ({"prompt_set": prompt_set, "sampling_run": factory.sampling_run()}, "either"),
        ({"prompt_set": elsewhere}, "must belong"),
        ({"prompt_set": prompt_set, "style": "native"}, "need one"),
        ({"prompt_set": prompt_set, "guard": reward}, "need no guard"),
        ({"prompt_set": prompt_set, "guard": reward, "style": "prompted"}, "register it as a guard"),
        ({"prompt_set": prompt_set, "guard": factory.model(), "style": "native"}, "register it as a guard"),
        ({"prompt_set": prompt_set, "guard": named, "style": "native"}, "only the name"),
        ({"prompt_set": prompt_set, "style": "poem"}, "style must be one of"),
        ({"prompt_set": prompt_set, "rules": [{"label": "x"}]}, "rules cannot be used"),
    ]
    for fields, reason in refused:
        with pytest.raises(GuardRefused, match=reason):
            started(factory, **fields)
    assert not GuardRun.objects.exists()


def test_nothing_is_deleted(factory: Factory) -> None:
    completions = factory.completions(factory.prompt(), ["A pipe bomb."], model=factory.model())
    guard_runner.check(claimed(started(factory, sampling_run=completions[0].sampling_run)))
    assert Completion.objects.get().text == "A pipe bomb."
