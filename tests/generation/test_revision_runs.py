"""Constitutions, and revision runs from start to comparisons."""

from __future__ import annotations

from typing import Any

import pytest

from annotation.models import Comparison
from annotation.revision_comparisons import add_revision_comparisons
from annotation.services import CampaignRefused
from core import jobs
from core.jobs import JobFailed
from generation import constitution_services as services
from generation import revision_runner
from generation.constitution_services import ConstitutionRefused, RevisionRefused
from generation.engines.base import Conversation
from generation.engines.errors import ContextOverflow
from generation.engines.scripted import ScriptedEngine
from generation.models import Completion, LanguageModel, RevisionRun
from generation.services import NameTaken
from tests.factory import Factory

PRINCIPLES = [
    {"name": "Kind", "critique": "Was that kind?", "revision": "Say it kindly."},
    {"name": "Short", "critique": "Was that short?", "revision": "Say it shortly."},
]


class Reviser(ScriptedEngine):
    """Criticises, and writes what it revised into the new reply; some replies are too long or leave it speechless."""

    def __init__(self) -> None:
        self.num_asked = 0
        super().__init__(self._answer)

    def _answer(self, conversation: Conversation, number: int, seed: int) -> str:
        self.num_asked += 1
        request = conversation[-1]["content"]
        if request.startswith("Was"):
            if "long" in conversation[-2]["content"]:
                raise ContextOverflow("too long")
            return f"It was not: {request}"
        if "mute" in conversation[-4]["content"]:
            return " "
        return f"[{conversation[-4]['content']} | {request}]"


@pytest.fixture
def reviser(monkeypatch: pytest.MonkeyPatch) -> Reviser:
    engine = Reviser()
    monkeypatch.setattr(revision_runner, "open_engine", lambda model: engine)
    return engine


def started(factory: Factory, *texts: str, **fields: Any) -> RevisionRun:
    """A claimed revision run over completions of one prompt."""
    completions = factory.completions(factory.prompt(), texts, model=factory.model())
    sampling_run = completions[0].sampling_run
    assert sampling_run is not None
    type(sampling_run).objects.filter(pk=sampling_run.pk).update(status="finished")
    sampling_run.refresh_from_db()
    version = services.create_constitution(workspace=factory.workspace(), name="Ours", principles=PRINCIPLES)
    run = services.start_revision_run(
        workspace=factory.workspace(),
        name="Revise",
        sampling_run=sampling_run,
        version=version,
        model=factory.model(),
        **{"num_per_prompt": 9, **fields},
    )
    held = jobs.claim(RevisionRun, run.pk)
    assert held is not None
    return held


def test_every_reply_goes_through_every_principle_and_knows_its_parents(factory: Factory, reviser: Reviser) -> None:
    run = started(factory, "No.", "Never.")
    revision_runner.revise(run)
    first, second = run.revisions.filter(original__text="No.").order_by("step")
    assert (first.principle, first.critique) == ("Kind", "It was not: Was that kind?")
    assert (first.parent, first.completion.text) == (first.original, "[No. | Say it kindly.]")
    assert (second.parent, second.completion.text) == (first.completion, "[[No. | Say it kindly.] | Say it shortly.]")
    assert (second.completion.origin, second.completion.model) == (Completion.Origin.REVISED, run.model)
    assert (run.num_total, run.revisions.count()) == (4, 4)


def test_a_resumed_run_repeats_no_round(factory: Factory, reviser: Reviser) -> None:
    run = started(factory, "No.", "Never.")
    revision_runner.revise(run)
    last = run.revisions.filter(step=1).latest("pk")
    last.completion.delete()
    asked = reviser.num_asked
    revision_runner.revise(run)
    assert reviser.num_asked == asked + 2
    assert run.revisions.count() == 4


def test_replies_that_cannot_be_revised_are_told_and_the_others_kept(factory: Factory, reviser: Reviser) -> None:
    run = started(factory, "No.", "A long one", "a mute one")
    with pytest.raises(JobFailed, match="could not revise 2 of 3 replies") as raised:
        revision_runner.revise(run)
    assert raised.value.failure_kind == "revisions-failed"
    assert "too long" in raised.value.detail
    assert set(run.revisions.values_list("original__text", flat=True)) == {"No."}


def test_some_principles_and_some_replies_on_request(factory: Factory, reviser: Reviser) -> None:
    run = started(factory, "No.", "no.", "", "Never.", num_per_prompt=1, num_principles=1)
    revision_runner.revise(run)
    assert run.revisions.values_list("original__text", "step").get() == ("No.", 0)


def test_originals_and_their_last_revisions_become_comparisons_once(factory: Factory, reviser: Reviser) -> None:
    run = started(factory, "No.", "Never.")
    revision_runner.revise(run)
    campaign = factory.campaign()
    unchanged = run.revisions.get(original__text="Never.", step=1).completion
    Completion.objects.filter(pk=unchanged.pk).update(text="never.")
    assert add_revision_comparisons(campaign=campaign, revision_run=run) == 1
    assert add_revision_comparisons(campaign=campaign, revision_run=run) == 0
    texts = Comparison.objects.get(campaign=campaign).candidates.values_list("completion__text", flat=True)
    assert list(texts.order_by("position")) == ["No.", "[[No. | Say it kindly.] | Say it shortly.]"]


def test_a_campaign_that_does_not_fit_is_refused(factory: Factory, reviser: Reviser) -> None:
    run = started(factory, "No.")
    with pytest.raises(CampaignRefused, match="closed"):
        add_revision_comparisons(campaign=factory.campaign(status="closed"), revision_run=run)
    elsewhere = factory.campaign(workspace=factory.workspace("Elsewhere"))
    with pytest.raises(CampaignRefused, match="workspace"):
        add_revision_comparisons(campaign=elsewhere, revision_run=run)


def test_a_constitution_has_versions(factory: Factory) -> None:
    first = services.create_constitution(workspace=factory.workspace(), name="Ours", principles=PRINCIPLES)
    same = services.revise_constitution(constitution=first.constitution, principles=PRINCIPLES)
    second = services.revise_constitution(constitution=first.constitution, principles=PRINCIPLES[:1])
    assert (first.number, same, second.number) == (1, first, 2)
    assert services.newest_version(first.constitution) == second
    with pytest.raises(NameTaken):
        services.create_constitution(workspace=factory.workspace(), name="Ours", principles=PRINCIPLES)
    with pytest.raises(ConstitutionRefused, match="1 to 100"):
        services.revise_constitution(constitution=first.constitution, principles=[])


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"num_per_prompt": 0}, "must be 1 or more"),
        ({"num_principles": 0}, "must be 1 or more"),
        ({"temperature": -1.0}, "temperature"),
    ],
)
def test_a_run_that_cannot_be_carried_out_is_refused(factory: Factory, fields: dict[str, Any], reason: str) -> None:
    with pytest.raises(RevisionRefused, match=reason):
        started(factory, "No.", **fields)


def test_only_what_belongs_together_is_revised(factory: Factory) -> None:
    run = started(factory, "No.")
    common: dict[str, Any] = {"workspace": run.workspace, "name": "x", "version": run.version}
    for sampling_run, model, reason in [
        (run.sampling_run, factory.model(kind=LanguageModel.Kind.REWARD), "cannot write"),
        (factory.sampling_run(status="running"), run.model, "has not ended"),
        (run.sampling_run, factory.model(workspace=factory.workspace("Elsewhere")), "must belong"),
    ]:
        with pytest.raises(RevisionRefused, match=reason):
            services.start_revision_run(sampling_run=sampling_run, model=model, **common)
