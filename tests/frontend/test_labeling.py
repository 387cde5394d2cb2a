"""The labeler's page, without a browser."""

import json
import re
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from annotation import question as questions
from annotation.models import Campaign, Judgment, Slot
from frontend.labeling import answer_text
from tests.factory import Factory
from tests.frontend.conftest import Browse, Statuses


@pytest.fixture
def campaign(factory: Factory) -> Campaign:
    return factory.campaign("Round two", num_comparisons=3, guidelines="Be **fair**.")


def fields(page: str) -> dict[str, str]:
    """The hidden inputs of the task's form."""
    form = page[page.index('id="task"') :]
    return dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', form))


def answer_first(client: Client, campaign: Campaign, **changes: Any) -> tuple[int, str]:
    """Take a task and say that the left reply is better."""
    url = f"/label/{campaign.pk}/"
    data = {**fields(client.get(url).content.decode()), "answer": '{"tiers": [[0], [1]]}', **changes}
    reply = client.post(f"{url}submit/", data)
    return reply.status_code, reply.content.decode()


def test_only_the_enrolled_may_label_managers_included(campaign: Campaign, statuses: Statuses) -> None:
    expected = {"alice": 404, "dana": 404, "bob": 200, "charlie": 404, "nobody": 302}

    assert statuses(f"/label/{campaign.pk}/") == expected


def test_taking_a_task_leases_it(factory: Factory, campaign: Campaign, browse: Browse) -> None:
    page = browse(factory.bob()).get(f"/label/{campaign.pk}/").content.decode()

    slot = Slot.objects.get(annotator__user=factory.bob())
    assert fields(page)["slot"] == str(slot.pk)
    assert 590 <= int(re.findall(r'data-seconds-left="(\d+)"', page)[0]) <= 600
    assert "<strong>fair</strong>" in page


def test_replies_are_shown_in_the_leased_order(factory: Factory, browse: Browse) -> None:
    slot = factory.leased_slot()  # shown in reverse
    texts = slot.comparison.candidates.order_by("position").values_list("completion__text", flat=True)

    page = browse(factory.bob()).get(f"/label/{slot.campaign_id}/").content.decode()

    places = [page.index(f">{text}<") for text in texts]
    assert places == sorted(places, reverse=True)


def test_an_answer_is_stored_in_canonical_form_with_the_order_shown(factory: Factory, browse: Browse) -> None:
    slot = factory.leased_slot()

    status, _ = answer_first(browse(factory.bob(), htmx=True), slot.campaign, active_ms="1500", total_ms="2500")

    judgment = Judgment.objects.get()
    assert status == 200
    assert judgment.display_order == [1, 0]
    assert judgment.answer == {"tiers": [[1], [0]]}
    assert (judgment.active_ms, judgment.total_ms) == (1500, 2500)


def test_the_next_task_comes_with_the_answer(factory: Factory, campaign: Campaign, browse: Browse) -> None:
    client = browse(factory.bob(), htmx=True)

    _, fragment = answer_first(client, campaign)

    held = Slot.objects.get(annotator__user=factory.bob(), judged_at=None)
    assert fields(fragment)["slot"] == str(held.pk)
    assert "<html" not in fragment
    assert '<strong class="num">1</strong> today' in fragment


def test_the_same_key_sent_twice_is_one_judgment(factory: Factory, campaign: Campaign, browse: Browse) -> None:
    client = browse(factory.bob(), htmx=True)
    url = f"/label/{campaign.pk}/"
    data = {**fields(client.get(url).content.decode()), "answer": '{"tiers": [[0], [1]]}'}

    statuses = [client.post(f"{url}submit/", data).status_code for _ in range(2)]

    assert statuses == [200, 200]
    assert Judgment.objects.count() == 1


def test_a_lost_lease_is_said_with_the_draft(factory: Factory, campaign: Campaign, browse: Browse) -> None:
    client = browse(factory.bob(), htmx=True)
    url = f"/label/{campaign.pk}/"
    data = {**fields(client.get(url).content.decode()), "answer": '{"tiers": [[1], [0]]}'}
    Slot.objects.filter(pk=data["slot"]).update(annotator=factory.judge())

    reply = client.post(f"{url}submit/", data)

    assert reply.status_code == 409
    assert "B &gt; A" in reply.content.decode()
    assert not Judgment.objects.exists()


@pytest.mark.parametrize("answer", ["", "[]", "{", '{"tiers": [[0]]}', '{"cant_judge": "yes"}'])
def test_malformed_answers_are_refused_as_a_fragment(
    factory: Factory, campaign: Campaign, browse: Browse, answer: str
) -> None:
    status, fragment = answer_first(browse(factory.bob(), htmx=True), campaign, answer=answer)

    assert status == 422
    assert "The answer is not complete" in fragment
    assert "<html" not in fragment


def test_numbers_that_are_none_count_as_zero(factory: Factory, campaign: Campaign, browse: Browse) -> None:
    status, _ = answer_first(browse(factory.bob(), htmx=True), campaign, active_ms="-5", total_ms="99999999999")

    judgment = Judgment.objects.get()
    assert status == 200
    assert (judgment.active_ms, judgment.total_ms) == (0, 0)


def test_without_javascript_a_button_still_answers(factory: Factory, campaign: Campaign, browse: Browse) -> None:
    status, _ = answer_first(browse(factory.bob()), campaign)

    assert status == 302
    assert Judgment.objects.count() == 1


def test_an_empty_queue_is_explained(factory: Factory, browse: Browse) -> None:
    campaign = factory.campaign(num_comparisons=1)
    client = browse(factory.bob(), htmx=True)

    _, fragment = answer_first(client, campaign)

    assert "You have judged everything" in fragment
    assert "Nothing to judge" in client.get(f"/label/{campaign.pk}/next/").content.decode()


def test_leaving_gives_the_task_back(factory: Factory, campaign: Campaign, browse: Browse) -> None:
    client = browse(factory.bob())
    data = fields(client.get(f"/label/{campaign.pk}/").content.decode())

    assert client.post(f"/label/{campaign.pk}/release/", data).status_code == 204
    assert not Slot.objects.filter(annotator__user=factory.bob()).exists()


def test_a_page_that_was_loaded_again_keeps_its_task(factory: Factory, campaign: Campaign, browse: Browse) -> None:
    """A reload renews the lease before the old page says good-bye."""
    client = browse(factory.bob())
    old = fields(client.get(f"/label/{campaign.pk}/").content.decode())
    new = fields(client.get(f"/label/{campaign.pk}/").content.decode())

    client.post(f"/label/{campaign.pk}/release/", old)

    assert new["slot"] == old["slot"]
    assert Slot.objects.filter(annotator__user=factory.bob(), pk=new["slot"]).exists()


def test_others_tasks_cannot_be_given_back(factory: Factory, browse: Browse) -> None:
    judge = factory.judge()
    slot = factory.leased_slot(annotator=judge)
    factory.enrolment(slot.campaign, factory.bob())
    assert slot.leased_until is not None
    data = {"slot": slot.pk, "token": slot.token, "leased_until": slot.leased_until.isoformat()}

    browse(factory.bob()).post(f"/label/{slot.campaign_id}/release/", data)

    slot.refresh_from_db()
    assert slot.annotator == judge


def test_a_ranking_offers_its_bar_and_neutral_numbers(factory: Factory, browse: Browse) -> None:
    campaign = factory.campaign(question=questions.ranking(4), num_comparisons=1)

    page = browse(factory.bob()).get(f"/label/{campaign.pk}/").content.decode()

    assert 'data-num-replies="4"' in page
    assert re.findall(r"Reply </span>(\d)</h3>", page) == ["1", "2", "3", "4"]


def test_a_ranking_with_ties_is_stored_in_canonical_form(factory: Factory, browse: Browse) -> None:
    slot = factory.leased_slot(factory.campaign(question=questions.ranking(4)))  # shown as 3, 2, 1, 0
    answer = json.dumps({"tiers": [[1], [0, 3], [2]]})

    answer_first(browse(factory.bob(), htmx=True), slot.campaign, answer=answer)

    assert Judgment.objects.get().answer == {"tiers": [[2], [0, 3], [1]]}


def test_nothing_tells_where_a_reply_comes_from(factory: Factory, browse: Browse) -> None:
    campaign = factory.campaign()
    prompt = factory.prompt(factory.prompt_set("secret set"))
    completions = factory.completions(prompt, ["one reply", "another"], model=factory.model("secret-model"))
    factory.comparison(campaign, prompt, completions=completions)
    client = browse(factory.bob())

    for path in (f"/label/{campaign.pk}/", f"/label/{campaign.pk}/next/", "/"):
        reply = client.get(path)
        assert "secret" not in reply.content.decode() + str(reply.headers)


def test_hostile_replies_are_shown_as_text(factory: Factory, browse: Browse) -> None:
    campaign = factory.campaign()
    prompt = factory.prompt()
    texts = ["<script>alert(1)</script>", "</pre><img src=x onerror=alert(1)>"]
    factory.comparison(campaign, prompt, completions=factory.completions(prompt, texts))

    page = browse(factory.bob()).get(f"/label/{campaign.pk}/").content.decode()

    assert "<script>alert" not in page
    assert "<img src=x" not in page


def test_the_page_allows_no_inline_script_or_style(factory: Factory, campaign: Campaign, browse: Browse) -> None:
    reply = browse(factory.bob()).get(f"/label/{campaign.pk}/")

    assert "unsafe" not in reply["Content-Security-Policy"]
    assert not re.search(r"<script(?![^>]*\bsrc=)|\sstyle=|\son\w+=", reply.content.decode())


def test_an_expired_lease_of_ones_own_is_renewed(factory: Factory, browse: Browse) -> None:
    slot = factory.leased_slot()
    Slot.objects.filter(pk=slot.pk).update(leased_until=timezone.now() - timedelta(minutes=5))

    page = browse(factory.bob()).get(f"/label/{slot.campaign_id}/").content.decode()

    assert fields(page)["slot"] == str(slot.pk)
    assert int(re.findall(r'data-seconds-left="(\d+)"', page)[0]) > 500


@pytest.mark.parametrize("name", ["submit", "release"])
def test_writes_need_a_post_and_a_token(factory: Factory, campaign: Campaign, browse: Browse, name: str) -> None:
    url = f"/label/{campaign.pk}/{name}/"
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(factory.bob())

    assert browse(factory.bob()).get(url).status_code == 405
    assert strict.post(url).status_code == 403


def test_a_draft_is_told_in_words() -> None:
    assert answer_text({"tiers": [[2], [0, 1]]}) == "3 > 1 = 2"
    assert answer_text({"tiers": [[1], [0]]}) == "B > A"
    assert answer_text({"cant_judge": True}) == "I can’t judge this"
    assert answer_text({}) == ""
