"""The labeler's page, without a browser."""

import html
import json
import re
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from annotation import question as questions
from annotation import slot_numbers
from annotation.models import Campaign, Judgment, Slot
from frontend.labeling import answer_text
from tests.factory import Factory
from tests.frontend.conftest import Browse, Statuses

SCRIPT = {"Accept": "application/json"}


@pytest.fixture
def campaign(factory: Factory) -> Campaign:
    return factory.campaign("Round two", num_comparisons=3, guidelines="Be **fair**.")


def fields(page: str) -> dict[str, str]:
    """The hidden inputs of the task's form."""
    form = page[page.index('id="task"') :]
    return dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', form))


def answer_first(client: Client, campaign: Campaign, **changes: Any) -> tuple[int, Any]:
    """Take a task and say, as the page's script does, that the left reply is better."""
    url = f"/label/{campaign.pk}/"
    data = {**fields(client.get(url).content.decode()), "answer": '{"tiers": [[0], [1]]}', **changes}
    reply = client.post(f"{url}submit/", data, headers=SCRIPT)
    return reply.status_code, reply.json()


def test_only_the_enrolled_may_label_managers_included(campaign: Campaign, statuses: Statuses) -> None:
    expected = {"alice": 404, "dana": 404, "bob": 200, "charlie": 404, "nobody": 302}

    assert statuses(f"/label/{campaign.pk}/") == expected


def test_taking_a_task_leases_it(factory: Factory, campaign: Campaign, browse: Browse) -> None:
    page = browse(factory.bob()).get(f"/label/{campaign.pk}/").content.decode()

    slot = Slot.objects.get(annotator__user=factory.bob())
    assert fields(page)["slot"] == str(slot_numbers.shown(slot.pk))
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

    status, _ = answer_first(browse(factory.bob()), slot.campaign, active_ms="1500", total_ms="2500")

    judgment = Judgment.objects.get()
    assert status == 200
    assert judgment.display_order == [1, 0]
    assert judgment.answer == {"tiers": [[1], [0]]}
    assert (judgment.active_ms, judgment.total_ms) == (1500, 2500)


def test_a_receipt_says_how_to_take_the_answer_back_and_how_the_day_goes(
    factory: Factory, campaign: Campaign, browse: Browse
) -> None:
    status, receipt = answer_first(browse(factory.bob()), campaign, active_ms="8400")

    assert status == 200
    assert receipt == {
        "judgment": Judgment.objects.get().pk,
        "day": {"num_done": 1, "median": " · median 8.4 s"},
        "guideline_version": 1,
    }


def test_the_next_task_is_another_one_than_those_that_the_page_holds(
    factory: Factory, campaign: Campaign, browse: Browse
) -> None:
    client = browse(factory.bob())
    first = fields(client.get(f"/label/{campaign.pk}/").content.decode())["slot"]

    fragment = client.get(f"/label/{campaign.pk}/next/?tab=one&holding={first}").content.decode()

    assert fields(fragment)["slot"] != first
    assert "<html" not in fragment
    assert set(Slot.objects.filter(annotator__user=factory.bob()).values_list("tab", flat=True)) == {"one"}


@pytest.mark.parametrize("holding", ["", "x,,1e3,-4", "9" * 40, "١٢"])
def test_what_a_page_claims_to_hold_may_be_nonsense(
    factory: Factory, campaign: Campaign, browse: Browse, holding: str
) -> None:
    reply = browse(factory.bob()).get(f"/label/{campaign.pk}/next/", {"tab": "t" * 99, "holding": holding})

    assert reply.status_code == 200
    assert fields(reply.content.decode())["slot"]


def test_the_same_key_sent_twice_is_one_judgment(factory: Factory, campaign: Campaign, browse: Browse) -> None:
    client = browse(factory.bob())
    url = f"/label/{campaign.pk}/"
    data = {**fields(client.get(url).content.decode()), "answer": '{"tiers": [[0], [1]]}'}

    receipts = [client.post(f"{url}submit/", data, headers=SCRIPT).json() for _ in range(2)]

    assert receipts[0]["judgment"] == receipts[1]["judgment"]
    assert Judgment.objects.count() == 1


@pytest.mark.parametrize("headers", [SCRIPT, {}])
def test_a_lost_lease_is_said_with_the_answer(
    factory: Factory, campaign: Campaign, browse: Browse, headers: dict[str, str]
) -> None:
    client = browse(factory.bob())
    url = f"/label/{campaign.pk}/"
    data = {**fields(client.get(url).content.decode()), "answer": '{"tiers": [[1], [0]]}'}
    Slot.objects.filter(pk=slot_numbers.pk_of(int(data["slot"]))).update(annotator=factory.judge())

    reply = client.post(f"{url}submit/", data, headers=headers)

    assert reply.status_code == 409
    assert "B > A" in html.unescape(reply.content.decode())
    assert not Judgment.objects.exists()


@pytest.mark.parametrize("answer", ["", "[]", "{", '{"tiers": [[0]]}', '{"cant_judge": "yes"}'])
def test_malformed_answers_are_refused_in_words(
    factory: Factory, campaign: Campaign, browse: Browse, answer: str
) -> None:
    status, problem = answer_first(browse(factory.bob()), campaign, answer=answer)

    assert status == 422
    assert problem["title"] == "The answer is not complete"
    assert problem["detail"].endswith(".")


def test_an_answer_is_never_stored_under_another_users_name(
    factory: Factory, campaign: Campaign, browse: Browse
) -> None:
    status, problem = answer_first(browse(factory.bob()), campaign, user=str(factory.dana().pk))

    assert status == 403
    assert problem["kind"] == "wrong-user"
    assert not Judgment.objects.exists()


def test_numbers_that_are_none_count_as_zero(factory: Factory, campaign: Campaign, browse: Browse) -> None:
    status, _ = answer_first(browse(factory.bob()), campaign, active_ms="-5", total_ms="99999999999")

    judgment = Judgment.objects.get()
    assert status == 200
    assert (judgment.active_ms, judgment.total_ms) == (0, 0)


def test_without_javascript_a_button_still_answers(factory: Factory, campaign: Campaign, browse: Browse) -> None:
    client = browse(factory.bob())
    url = f"/label/{campaign.pk}/"
    data = {**fields(client.get(url).content.decode()), "answer": '{"tiers": [[0], [1]]}'}

    reply = client.post(f"{url}submit/", data)

    assert (reply.status_code, reply["Location"]) == (302, url)
    assert Judgment.objects.count() == 1


def test_an_empty_queue_is_explained(factory: Factory, browse: Browse) -> None:
    campaign = factory.campaign(num_comparisons=1)
    client = browse(factory.bob())

    answer_first(client, campaign)

    fragment = client.get(f"/label/{campaign.pk}/next/").content.decode()
    assert "You have judged everything" in fragment
    assert 'data-state="nothing"' in fragment


def test_a_ranking_offers_its_bar_and_neutral_numbers(factory: Factory, browse: Browse) -> None:
    campaign = factory.campaign(question=questions.ranking(4), num_comparisons=1)

    page = browse(factory.bob()).get(f"/label/{campaign.pk}/").content.decode()

    assert 'data-num-replies="4"' in page
    assert re.findall(r"Reply </span>(\d)</h3>", page) == ["1", "2", "3", "4"]


def test_a_ranking_with_ties_is_stored_in_canonical_form(factory: Factory, browse: Browse) -> None:
    slot = factory.leased_slot(factory.campaign(question=questions.ranking(4)))  # shown as 3, 2, 1, 0
    answer = json.dumps({"tiers": [[1], [0, 3], [2]]})

    answer_first(browse(factory.bob()), slot.campaign, answer=answer)

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

    assert fields(page)["slot"] == str(slot_numbers.shown(slot.pk))
    assert int(re.findall(r'data-seconds-left="(\d+)"', page)[0]) > 500


def test_a_draft_comes_back_with_its_task(factory: Factory, browse: Browse) -> None:
    slot = factory.leased_slot()
    Slot.objects.filter(pk=slot.pk).update(draft={"answer": {"rationale": 'so "said" <Bob>'}, "active_ms": 5})

    page = browse(factory.bob()).get(f"/label/{slot.campaign_id}/").content.decode()

    draft = html.unescape(re.findall(r'data-draft="([^"]*)"', page)[0])
    assert json.loads(draft) == {"answer": {"rationale": 'so "said" <Bob>'}, "active_ms": 5}


def test_an_earlier_answer_comes_back_as_it_was_shown(factory: Factory, browse: Browse) -> None:
    slot = factory.leased_slot()  # shown in reverse
    client = browse(factory.bob())
    answer_first(client, slot.campaign)
    judgment = Judgment.objects.get()

    fragment = client.get(
        f"/label/{slot.campaign_id}/again/{judgment.pk}/", headers={"X-Fragment": "1"}
    ).content.decode()

    draft = json.loads(html.unescape(re.findall(r'data-draft="([^"]*)"', fragment)[0]))
    assert draft == {"answer": {"tiers": [[0], [1]]}}
    assert f'data-revises="{judgment.pk}"' in fragment
    assert "<html" not in fragment


def test_others_answers_do_not_come_back(factory: Factory, browse: Browse) -> None:
    campaign = factory.judged_campaign()

    for judgment in Judgment.objects.all():
        assert browse(factory.bob()).get(f"/label/{campaign.pk}/again/{judgment.pk}/").status_code == 404


@pytest.mark.parametrize("names", [("judgment",), ("revises",), ("judgment", "revises")])
def test_a_revision_is_named_by_its_judgment_or_by_the_key_that_was_sent(
    factory: Factory, browse: Browse, names: tuple[str, ...]
) -> None:
    slot = factory.leased_slot()
    client = browse(factory.bob())
    answer_first(client, slot.campaign, key="first")
    known = {"judgment": str(Judgment.objects.get().pk), "revises": "first"}
    data = {"answer": '{"tiers": [[1], [0]]}', "key": "second", **{name: known[name] for name in names}}

    replies = [client.post(f"/label/{slot.campaign_id}/revise/", data, headers=SCRIPT) for _ in range(2)]

    current = Judgment.objects.current().get()
    assert [reply.json()["judgment"] for reply in replies] == [current.pk, current.pk]
    assert current.answer == {"tiers": [[0], [1]]}
    assert current.revises is not None
    assert Judgment.objects.count() == 2


def test_a_revision_can_be_revised_under_the_first_key(factory: Factory, browse: Browse) -> None:
    slot = factory.leased_slot()
    client = browse(factory.bob())
    answer_first(client, slot.campaign, key="first")

    for key, answer in (("second", '{"tiers": [[1], [0]]}'), ("third", '{"tiers": [[0, 1]]}')):
        data = {"answer": answer, "key": key, "revises": "first"}
        assert client.post(f"/label/{slot.campaign_id}/revise/", data, headers=SCRIPT).status_code == 200

    assert Judgment.objects.current().get().answer == {"tiers": [[0, 1]]}
    assert Judgment.objects.count() == 3


def test_nothing_unknown_can_be_revised(factory: Factory, browse: Browse) -> None:
    slot = factory.leased_slot()
    data = {"answer": '{"tiers": [[1], [0]]}', "key": "k", "revises": "", "judgment": ""}

    reply = browse(factory.bob()).post(f"/label/{slot.campaign_id}/revise/", data, headers=SCRIPT)

    assert reply.status_code == 409
    assert reply.json()["title"] == "This answer can no longer be changed"


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ({"tiers": [[2], [0, 1]]}, "3 > 1 = 2"),
        ({"tiers": [[1], [0]], "strength": 2}, "B > A (strength 2)"),
        ({"tiers": [[0, 1]], "both_bad": True}, "both are bad"),
        ({"cant_judge": True}, "I can’t judge this"),
        ({"tiers": [[0]], "ratings": [5]}, "points 5"),
        ({"tiers": [[1], [0]], "ratings": [2, 6]}, "B > A, points 2, 6"),
        ({"demonstration": "word " * 40}, f"{('word ' * 16).rstrip()} …"),
        ({}, ""),
    ],
)
def test_an_answer_is_told_in_words(answer: dict[str, Any], words: str) -> None:
    assert answer_text(answer) == words
