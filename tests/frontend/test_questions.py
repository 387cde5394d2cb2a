"""The question editor: from forms to questions, and its pages."""

from __future__ import annotations

import re
from typing import Any

import pytest

from annotation import campaign_versions, services
from annotation.models import Campaign
from annotation.presets import PRESETS
from annotation.question import Question, demonstration, pairwise, ranking, rating
from frontend.campaign_forms import CampaignForm, PolicyForm, policy_of
from frontend.questions import QuestionForm, initial_of
from tests.factory import Factory
from tests.frontend.conftest import Browse, Statuses

MANAGERS_ONLY = {"alice": 200, "dana": 403, "bob": 404, "charlie": 404, "nobody": 302}


def posted(question: Question, **changes: Any) -> dict[str, Any]:
    """What a browser sends for the question: unchecked boxes are left out, the order's choice is one field."""
    values = {name: value for name, value in initial_of(question).items() if value is not False}
    return {**{name: "on" if value is True else value for name, value in values.items()}, **changes}


def whole(factory: Factory, question: Question, **changes: Any) -> dict[str, Any]:
    """All that the page of a new campaign sends."""
    policy = {name: value for name, value in policy_of(Campaign()).items() if value is not None}
    campaign = {"workspace": factory.workspace().pk, "name": "Round two", "overlap": 2, "lease_minutes": 5}
    return {**posted(question), **policy, **campaign, "guidelines": "Be *kind*.", **changes}


# The form


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_goes_through_the_form_unchanged(name: str) -> None:
    form = QuestionForm(posted(PRESETS[name][1]()))
    assert form.is_valid(), form.errors
    assert form.cleaned_data["question"] == PRESETS[name][1]()


@pytest.mark.parametrize(
    "question",
    [
        pairwise(num_strengths=7, reasons=("clearer", "kinder"), rationale="sampled", rationale_share=0.25),
        ranking(5, top_k=2, allows_ties=False),
        ranking(5, allows_unranked=True, asks_edit=True),
        rating(2, num_completions=3, aspects=("honest",), aspect_points=3, asks_safety=True),
        demonstration(num_completions=2, rating_points=5),
    ],
)
def test_a_question_goes_through_the_form_unchanged(question: Question) -> None:
    form = QuestionForm(posted(question))
    assert form.is_valid(), form.errors
    assert form.cleaned_data["question"] == question


def test_what_is_not_for_the_kind_does_not_stand_in_the_way() -> None:
    """A field that the page hides still sends what was chosen before."""
    leftovers = posted(
        pairwise(num_strengths=4, allows_both_bad=True), kind="ranking", num_completions=4, ordered="all"
    )
    form = QuestionForm(leftovers)
    assert form.is_valid(), form.errors
    assert form.cleaned_data["question"] == ranking(4, title=leftovers["title"])


@pytest.mark.parametrize(
    ("field", "changes", "words"),
    [
        ("title", {"title": " "}, "This field is required."),
        ("num_completions", {"kind": "ranking", "num_completions": ""}, "Say how many replies a task has."),
        ("num_completions", {"kind": "ranking", "num_completions": 1}, "The number of replies must lie in 2–9, got 1."),
        ("top_k", {"kind": "ranking", "num_completions": 4, "ordered": "top"}, "Say how many of the best are ordered."),
        (
            "top_k",
            {"kind": "ranking", "num_completions": 4, "ordered": "top", "top_k": 4},
            "The number of the best must lie in 1–3, got 4.",
        ),
        ("rating_points", {"kind": "rating", "num_completions": 1}, "A rating question needs points"),
        ("reasons", {"reasons": "clearer\nClearer"}, "Reasons must differ from each other, got clearer, Clearer."),
        ("flags", {"flags": "x" * 61}, "Flags must have 1–60 characters each"),
        (
            "rationale_share",
            {"rationale": "sampled"},
            "A sampled rationale needs a share above 0 and up to 1, got 0.0.",
        ),
        ("kind", {"kind": "essay"}, "Select a valid choice."),
    ],
)
def test_a_rule_that_is_broken_is_said_at_its_field(field: str, changes: dict[str, Any], words: str) -> None:
    form = QuestionForm(posted(pairwise(), **changes))
    assert not form.is_valid()
    assert words in form.errors[field][0]


def test_the_settings_that_are_stored_are_those_that_changed() -> None:
    defaults = {name: value for name, value in policy_of(Campaign()).items() if value is not None}
    form = PolicyForm({**defaults, "gold_every": 20, "pause_below": 0.6, "price_per_judgment": "0.25"})
    assert form.is_valid(), form.errors
    assert {name: str(value) for name, value in form.changes_of(Campaign()).items()} == {
        "gold_every": "20",
        "pause_below": "0.6",
        "price_per_judgment": "0.25",
    }


# A new campaign


def test_managers_alone_make_campaigns(statuses: Statuses) -> None:
    """Charlie manages a workspace of his own, so that he makes campaigns there."""
    assert statuses("/campaigns/new/") == {**MANAGERS_ONLY, "charlie": 200}


def test_a_campaign_is_made_with_everything_that_the_page_says(factory: Factory, browse: Browse) -> None:
    run = factory.sampling_run()
    body = whole(factory, pairwise(num_strengths=4), sampling_run=run.pk, selection="adaptive", gold_every=10)

    reply = browse(factory.alice()).post("/campaigns/new/create/", body)

    made = Campaign.objects.get()
    assert reply["Location"] == f"/campaigns/{made.pk}/"
    assert Question.from_json(made.question) == pairwise(num_strengths=4)
    assert (made.status, made.overlap, made.lease_seconds, made.guidelines) == ("draft", 2, 300, "Be *kind*.")
    assert (made.selection, made.gold_every, made.created_by) == ("adaptive", 10, factory.alice())
    assert (made.comparisons.count(), made.slots.count()) == (3, 6)


def test_demonstrations_take_their_prompts_from_a_set(factory: Factory, browse: Browse) -> None:
    prompt_set, run = factory.prompt_set(num_prompts=4), factory.sampling_run()
    body = whole(factory, demonstration(), prompt_set=prompt_set.pk, sampling_run=run.pk)

    browse(factory.alice()).post("/campaigns/new/create/", body)

    assert Campaign.objects.get().comparisons.count() == 4


@pytest.mark.parametrize(
    ("field", "change"),
    [("name", ""), ("overlap", 0), ("lease_minutes", "soon"), ("title", ""), ("gold_every", -1), ("selection", "luck")],
)
def test_a_wrong_field_is_marked_and_nothing_is_made(
    factory: Factory, browse: Browse, field: str, change: object
) -> None:
    reply = browse(factory.alice()).post("/campaigns/new/create/", whole(factory, pairwise(), **{field: change}))

    page = reply.content.decode()
    assert reply.status_code == 422
    assert f'id="error-{field}"></p>' not in page
    assert page.count("Be *kind*.") == 1  # what was typed is still there
    assert not Campaign.objects.exists()


def test_a_name_that_is_taken_is_said_at_the_name(factory: Factory) -> None:
    factory.campaign("Round two")
    form = CampaignForm(whole(factory, pairwise()), user=factory.alice())
    assert form.errors == {"name": ["Acme already has a campaign of this name; choose another."]}


def test_nothing_of_foreign_workspaces_is_offered(factory: Factory, browse: Browse) -> None:
    elsewhere = factory.workspace("Elsewhere")
    run = factory.sampling_run(factory.prompt_set("Secret prompts", workspace=elsewhere, num_prompts=1))
    client = browse(factory.alice())

    page = client.get("/campaigns/new/").content.decode()
    made = client.post("/campaigns/new/create/", whole(factory, pairwise(), workspace=elsewhere.pk))
    filled = client.post("/campaigns/new/create/", whole(factory, pairwise(), sampling_run=run.pk))

    assert "Elsewhere" not in page
    assert "Secret prompts" not in page
    assert (made.status_code, filled.status_code) == (422, 422)
    assert not Campaign.objects.exists()


def test_a_preset_fills_the_question_and_nothing_else(factory: Factory, browse: Browse) -> None:
    whole_page = browse(factory.alice()).get("/campaigns/new/?preset=kto_thumbs").content.decode()
    fields = browse(factory.alice(), htmx=True).get("/campaigns/new/?preset=kto_thumbs").content.decode()

    assert "Is this a good reply?" in whole_page
    assert "Is this a good reply?" in fields
    assert "<html" not in fields
    assert 'name="guidelines"' not in fields


# The preview


def test_the_preview_is_the_labelers_task_and_stores_nothing(factory: Factory, browse: Browse) -> None:
    client = browse(factory.alice(), htmx=True)

    page = client.post("/campaigns/new/preview/", posted(ranking(4), guidelines="Be *kind*.")).content.decode()

    assert 'data-kind="ranking"' in page
    assert page.count('<article class="reply') == 4
    assert "Rank the replies from best to worst." in page
    assert "<em>kind</em>" in page
    assert not Campaign.objects.exists()


@pytest.mark.parametrize("question", [ranking(5), ranking(5, top_k=2), ranking(5, allows_unranked=True)])
def test_the_preview_of_a_ranking_shows_its_replies_in_the_tray(
    factory: Factory, browse: Browse, question: Question
) -> None:
    page = browse(factory.alice(), htmx=True).post("/campaigns/new/preview/", posted(question)).content.decode()

    tray = page[page.index("data-tray") : page.index("data-tiers")]
    assert re.findall(r'<button class="chip"[^>]*>(\d)</button>', tray) == ["1", "2", "3", "4", "5"]


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_has_a_preview_that_cannot_be_used(factory: Factory, browse: Browse, name: str) -> None:
    page = browse(factory.alice(), htmx=True).post("/campaigns/new/preview/", posted(PRESETS[name][1]()))

    assert '<fieldset class="preview-window" disabled' in page.content.decode()


def test_a_preview_of_a_broken_question_says_what_is_wrong_at_its_field(factory: Factory, browse: Browse) -> None:
    body = posted(pairwise(), reasons="clearer\nclearer")

    page = browse(factory.alice(), htmx=True).post("/campaigns/new/preview/", body).content.decode()

    assert 'id="error-reasons" hx-swap-oob="true">Reasons must differ' in page
    assert 'id="error-title" hx-swap-oob="true"></p>' in page
    assert "preview-window" not in page


@pytest.mark.parametrize(("person", "new", "existing"), [("dana", 403, 403), ("bob", 404, 404), ("charlie", 200, 404)])
def test_a_preview_is_for_managers(factory: Factory, browse: Browse, person: str, new: int, existing: int) -> None:
    campaign = factory.campaign()
    client = browse(getattr(factory, person)())

    assert client.post("/campaigns/new/preview/", posted(pairwise())).status_code == new
    assert client.post(f"/campaigns/{campaign.pk}/edit/preview/", posted(pairwise())).status_code == existing


# Editing


def test_managers_alone_edit_a_campaign(factory: Factory, statuses: Statuses) -> None:
    assert statuses(f"/campaigns/{factory.campaign().pk}/edit/") == MANAGERS_ONLY


@pytest.mark.parametrize("ending", ["question", "guidelines", "policy"])
@pytest.mark.parametrize(("person", "status"), [("dana", 403), ("bob", 404), ("charlie", 404)])
def test_nobody_else_stores_anything(factory: Factory, browse: Browse, ending: str, person: str, status: int) -> None:
    campaign = factory.campaign(guidelines="Be kind.")
    body = whole(factory, pairwise(num_strengths=4), gold_every=3)

    reply = browse(getattr(factory, person)()).post(f"/campaigns/{campaign.pk}/edit/{ending}/", body)

    campaign.refresh_from_db()
    assert reply.status_code == status
    assert (campaign.question_version, campaign.guideline_version, campaign.gold_every) == (1, 1, 0)


def test_a_changed_question_is_a_new_version_with_its_author(factory: Factory, browse: Browse) -> None:
    campaign = factory.campaign(num_comparisons=1)

    reply = browse(factory.alice()).post(
        f"/campaigns/{campaign.pk}/edit/question/", posted(pairwise(num_strengths=4)), follow=True
    )

    campaign.refresh_from_db()
    assert campaign.question["num_strengths"] == 4
    version = campaign.question_versions.get(number=2)
    assert version.created_by == factory.alice()
    assert "Version 2 of the question holds from the next task on." in reply.content.decode()


def test_a_question_that_did_not_change_makes_no_version(factory: Factory, browse: Browse) -> None:
    campaign = factory.campaign()

    reply = browse(factory.alice()).post(f"/campaigns/{campaign.pk}/edit/question/", posted(pairwise()), follow=True)

    campaign.refresh_from_db()
    assert campaign.question_version == 1
    assert "did not change" in reply.content.decode()


def test_the_kind_stays_once_there_are_comparisons(factory: Factory, browse: Browse) -> None:
    campaign = factory.campaign(num_comparisons=1)

    browse(factory.alice()).post(f"/campaigns/{campaign.pk}/edit/question/", posted(ranking(4), allows_cant_judge=""))

    campaign.refresh_from_db()
    assert (campaign.question["kind"], campaign.question["num_completions"]) == ("pairwise", 2)
    assert campaign.question["title"] == "Rank the replies from best to worst."


def test_guidelines_that_differ_in_their_line_ends_alone_did_not_change(factory: Factory, browse: Browse) -> None:
    campaign = factory.campaign(guidelines="Be kind.\nBe brief.")
    client = browse(factory.alice())

    client.post(f"/campaigns/{campaign.pk}/edit/guidelines/", {"guidelines": "Be kind.\r\nBe brief."})
    campaign.refresh_from_db()
    assert campaign.guideline_version == 1
    client.post(f"/campaigns/{campaign.pk}/edit/guidelines/", {"guidelines": "Be kind.\r\nBe right."})
    campaign.refresh_from_db()
    assert (campaign.guideline_version, campaign.guidelines) == (2, "Be kind.\nBe right.")


def test_versions_are_listed_with_their_differences_and_judgments(factory: Factory, browse: Browse) -> None:
    alice = factory.alice()
    campaign = services.create_campaign(
        workspace=factory.workspace(), name="Kind", question=pairwise(), guidelines="Be kind.", user=alice
    )
    factory.judgment(factory.slot(campaign))
    campaign_versions.revise_question(campaign=campaign, question=pairwise(reasons=("clearer",)), user=alice)
    campaign_versions.revise_guidelines(campaign=campaign, text="Be right.", user=alice)

    page = browse(alice).get(f"/campaigns/{campaign.pk}/edit/").content.decode()

    assert "Reasons to choose from</th><td><del>none</del></td><td><ins>clearer</ins>" in page
    assert "<del>Be kind.</del><ins>Be right.</ins>" in page
    assert page.count("by alice") == 4
    assert page.count(">1 judgment<") == 2
    assert "read by 0 of 1" in page  # Bob


def test_an_open_campaign_warns_that_a_change_makes_a_version(factory: Factory, browse: Browse) -> None:
    client = browse(factory.alice())
    warning = "A change makes a new version"

    assert warning in client.get(f"/campaigns/{factory.campaign().pk}/edit/").content.decode()
    assert warning not in client.get(f"/campaigns/{factory.campaign(status='draft').pk}/edit/").content.decode()


def test_a_closed_campaign_has_nothing_to_save(factory: Factory, browse: Browse) -> None:
    campaign = factory.campaign(status="closed")
    client = browse(factory.alice())

    assert "Save as version" not in client.get(f"/campaigns/{campaign.pk}/edit/").content.decode()
    reply = client.post(f"/campaigns/{campaign.pk}/edit/question/", posted(pairwise(num_strengths=4)))
    assert reply.status_code == 422


def test_settings_are_stored_without_a_version(factory: Factory, browse: Browse) -> None:
    campaign = factory.campaign(num_comparisons=1)
    policy = {name: value for name, value in policy_of(campaign).items() if value is not None}
    client = browse(factory.alice())

    refused = client.post(f"/campaigns/{campaign.pk}/edit/policy/", {**policy, "pause_below": 2})
    client.post(f"/campaigns/{campaign.pk}/edit/policy/", {**policy, "pause_below": 0.5, "skip_policy": "drop"})

    campaign.refresh_from_db()
    assert refused.status_code == 422
    assert (campaign.pause_below, campaign.skip_policy, campaign.question_version) == (0.5, "drop", 1)


def test_what_was_typed_into_a_refused_question_stays(factory: Factory, browse: Browse) -> None:
    campaign = factory.campaign()
    body = posted(pairwise(), title="Which one is kinder?", reasons="clearer\nclearer")

    reply = browse(factory.alice()).post(f"/campaigns/{campaign.pk}/edit/question/", body)

    assert reply.status_code == 422
    assert "Which one is kinder?" in reply.content.decode()
    assert "Reasons must differ from each other" in reply.content.decode()


def test_the_way_to_the_editor_is_shown_to_managers_alone(factory: Factory, browse: Browse) -> None:
    campaign = factory.campaign()

    for person, count in (("alice", 1), ("dana", 0)):
        client = browse(getattr(factory, person)())
        assert client.get("/campaigns/").content.decode().count('href="/campaigns/new/"') == count
        page = client.get(f"/campaigns/{campaign.pk}/").content.decode()
        assert (f'href="/campaigns/{campaign.pk}/edit/"' in page) == (count > 0)
