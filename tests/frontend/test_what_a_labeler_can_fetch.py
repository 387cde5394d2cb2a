"""Everything that a labeler can fetch, searched for what labelers must not know.

Bob labels in a campaign that has gold items, repeats, other people's votes, a consensus, a decision and alerts. He
follows every link, form and address of his pages, answers every task, and asks every address of the REST API and of
the management pages for every object that exists. Nothing that comes back, headers included, names a model, a sampling
run, another annotator or their answer, a consensus, or a task's purpose; and tasks of all purposes look the same.
"""

from __future__ import annotations

import itertools
import json
import re
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from html import unescape
from typing import Any
from urllib.parse import quote, urljoin, urlsplit

import pytest
from django.db.models import Model
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from annotation import adjudication, consensus, gold, models, quality_pauses, slot_numbers
from annotation.models import Annotator, Campaign, Judgment, Slot
from annotation.question import pairwise
from generation.models import LanguageModel, PromptSet, SamplingRun
from tests.factory import Factory

SCRIPT = {"Accept": "application/json", "X-Fragment": "1"}
TAG_ADDRESSES = re.compile(r'\b(?:href|src|action|hx-get|data-[a-z-]*url)="([^"]+)"')
# Words of the queue and of quality control that have no place on any page or in any JSON for labelers.
WORDS = ("gold", "repeat", "purpose", "qualification", "served_because", "consensus", "adjudicat", "dawid")
OPEN_TO_ALL = ("/api/schema/", "/api/docs/", "/static/")  # the same for everybody; they describe what exists
NUM_OF_A_KIND = 2  # rows of one table that are asked for: so many of the oldest and of the newest
PURPOSES = {"main", "gold", "repeat", "qualification"}


@dataclass
class Crawler:
    """A labeler's browser that remembers everything that it was given."""

    client: Client
    secrets: dict[str, str]  # text → what it gives away
    seen: dict[str, int] = field(default_factory=dict)  # address → status
    leaks: list[str] = field(default_factory=list)

    def get(self, address: str, **headers: str) -> str:
        return self._read(address, self.client.get(address, headers=headers))

    def post(self, address: str, data: dict[str, Any]) -> str:
        return self._read(f"POST {address}", self.client.post(address, data, headers=SCRIPT))

    def post_json(self, address: str, data: dict[str, Any]) -> str:
        return self._read(f"POST {address}", self.client.post(address, data, content_type="application/json"))

    def follow(self, *addresses: str) -> None:
        """Everything that can be reached from here, as a page, as the page's script and as htmx ask for it."""
        waiting = list(addresses)
        while waiting:
            address = waiting.pop()
            if address in self.seen or address.startswith(OPEN_TO_ALL):
                continue
            pages = [self.get(address), self.get(address, **SCRIPT), self.get(address, **{"HX-Request": "true"})]
            waiting += [found for page in pages for found in addresses_in(page, address)]

    def _read(self, address: str, response: Any) -> str:
        body = b"".join(response) if response.streaming else response.content
        text = body.decode(errors="replace")
        self.seen[address] = response.status_code
        everything = unescape(f"{response.headers} {response.cookies} {text}").lower()
        everything = everything.replace(quote(address).lower(), "").replace(address.lower(), "")  # what was asked for
        is_bare = address.startswith(OPEN_TO_ALL) or response.status_code == 404
        secrets = self.secrets if is_bare else self.secrets | dict.fromkeys(WORDS, "a word of the queue")
        self.leaks += [f"{address}: {what} ({secret})" for secret, what in secrets.items() if secret in everything]
        return text


def addresses_in(page: str, base: str) -> set[str]:
    """The addresses on this site that a page names, in attributes or as REST addresses in JSON."""
    found = {urlsplit(urljoin(f"http://testserver{base}", unescape(text))) for text in TAG_ADDRESSES.findall(page)}
    ours = {url for url in found if url.netloc == "testserver" and url.path != "/sign-out/"}
    return {f"{url.path}?{url.query}" if url.query else url.path for url in ours}


def work(crawler: Crawler, campaign: Campaign) -> dict[str, set[str]]:
    """Answer every task through the pages; returns what the tasks of each purpose looked like, and their receipts."""
    shapes: dict[str, set[str]] = defaultdict(set)
    address = f"/label/{campaign.pk}/"
    while 'id="task" class="task' in (page := crawler.get(f"{address}next/?tab=here", **SCRIPT)):
        data = hidden_fields(page)
        purpose = Slot.objects.get(pk=slot_numbers.pk_of(int(data["slot"]))).purpose
        crawler.post(f"{address}draft/", {**data, "draft": '{"answer": {}}'})
        crawler.post(f"{address}renew/", data)
        receipt = crawler.post(f"{address}submit/", {**data, "answer": '{"tiers": [[0], [1]]}'})
        assert "judgment" in json.loads(receipt), (purpose, data, receipt)
        again = crawler.get(f"{address}again/{json.loads(receipt)['judgment']}/", **SCRIPT)
        shapes[purpose] |= {shape_of(page), shape_of(receipt), shape_of(again)}
    return shapes


def work_over_rest(crawler: Crawler, campaign: Campaign) -> dict[str, set[str]]:
    """The same with the API's tasks."""
    shapes: dict[str, set[str]] = defaultdict(set)
    claim = reverse("api-next-task", kwargs={"pk": campaign.pk})
    while task := json.loads(crawler.post_json(claim, {}))["task"]:
        slot = Slot.objects.get(pk=slot_numbers.pk_of(task["slot"]))
        lease = {"token": task["token"]}
        shown = crawler.get(claim)
        for action in ("api-renew-lease", "api-release-slot", "api-skip-slot"):
            wrong = {"token": str(uuid.uuid4())}
            shapes[slot.purpose].add(shape_of(crawler.post_json(reverse(action, kwargs={"pk": slot.pk}), wrong)))
        answer = {"answer": {"tiers": [[0], [1]]}, "idempotency_key": task["token"], **lease}
        receipt = crawler.post_json(reverse("api-judge-slot", kwargs={"pk": slot.pk}), answer)
        shapes[slot.purpose] |= {shape_of(json.dumps(task)), shape_of(shown), shape_of(receipt)}
    return shapes


def hidden_fields(page: str) -> dict[str, str]:
    return dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', page))


def shape_of(text: str) -> str:
    """A reply without what differs between any two tasks: numbers, times, leases, tokens against forgery."""
    text = re.sub(r'name="csrfmiddlewaretoken" value="\w+"', "", text)
    text = re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}", "LEASE", text)
    text = re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+(Z|\+00:00)", "TIME", text)
    return re.sub(r"\d+(\.\d+)?( \w+)?", "0", text)


@pytest.fixture
def campaign(factory: Factory, finish_jobs: Callable[[], int]) -> Campaign:
    """24 comparisons of two named models; everything that can be said about them has been said."""
    models_ = [factory.model("Zaphod-70B-chat"), factory.model("Trillian-8B-dpo")]
    campaign = factory.campaign(
        question=pairwise(rationale="optional"),
        overlap=3,
        gold_every=2,
        repeat_every=2,
        num_qualification=2,
        qualification_pass=0.0,
    )
    for prompt in factory.prompt_set("Magrathea prompts", num_prompts=24).prompts.all():
        texts = [f"reply {prompt.pk}1", f"reply {prompt.pk}2"]
        made = [factory.completions(prompt, [text], model=model)[0] for text, model in zip(texts, models_, strict=True)]
        factory.comparison(campaign, prompt, completions=made)
    SamplingRun.objects.update(name="Krikkit sampling")
    _say_everything(factory, campaign)
    assert finish_jobs() == 1  # the consensus
    return campaign


def _say_everything(factory: Factory, campaign: Campaign) -> None:
    """Votes of others, gold, a consensus, a decision, an alert, a pause."""
    comparisons = list(campaign.comparisons.order_by("pk"))
    for number, name in enumerate(["slartibartfast", "vogon-judge"]):
        is_judge = number == 1
        annotator = factory.judge(name) if is_judge else factory.person(factory.user(name, role="labeler"))
        for comparison in comparisons[:12]:
            judgment = factory.judgment(comparison.slots.get(number=number), annotator, tiers=[[1], [0]])
            judgment.answer |= {"rationale": f"Pangalactic opinion of {name}"}
            judgment.save()
        quality_pauses.raise_alert(campaign=campaign, annotator=annotator, kind="speed", message="Babelfish alert")
    for number, comparison in enumerate(comparisons[18:]):
        gold.promote(
            comparison=comparison, answer={"tiers": [[0], [1]]}, note="Deepthought says so", is_qualification=number < 2
        )
    consensus.start_consensus_run(campaign=campaign, method="dawid_skene")
    _decide(factory, comparisons[0])


def _decide(factory: Factory, comparison: models.Comparison) -> None:
    alice = factory.person(factory.user("marvin-the-manager", role="manager"))
    slot = adjudication.take(comparison=comparison, annotator=alice)
    answer = {"tiers": [[0], [1]], "rationale": "Vogsphere ruling"}
    adjudication.decide(slot=slot, annotator=alice, token=str(slot.token), answer=answer, idempotency_key="decided")


SECRETS = {
    "zaphod": "a model's name",
    "trillian": "a model's name",
    "krikkit": "a sampling run's name",
    "magrathea": "a prompt set's name",
    "slartibartfast": "another labeler's name",
    "vogon-judge": "a judge's name",
    "marvin": "a manager's name",
    "pangalactic": "another annotator's words",
    "babelfish": "an alert",
    "deepthought": "why a gold answer is right",
    "vogsphere": "an adjudicator's words",
}


@pytest.fixture
def crawler(factory: Factory, campaign: Campaign) -> Crawler:
    client = Client()
    client.force_login(factory.bob())
    return Crawler(client, SECRETS)


def routes(patterns: list[URLPattern | URLResolver], prefix: str = "/") -> Iterator[tuple[str, Any]]:
    """Every address of the site with its view; parts that vary stand as <int:pk>."""
    for pattern in patterns:
        route = prefix + str(pattern.pattern).lstrip("^/")
        if isinstance(pattern, URLResolver):
            yield from routes(pattern.url_patterns, route)
        elif not re.search(r"[$(\\]", route):
            yield route, pattern.callback


def addresses_of_everything(campaign: Campaign) -> Iterator[str]:
    """Every address of the site about rows that exist."""
    for route, view in routes(get_resolver().url_patterns):
        names = re.findall(r"<(?:\w+:)?(\w+)>", route)
        for values in itertools.product(*(rows_for(name, view, campaign) for name in names)):
            address = route
            for value in values:
                address = re.sub(r"<[^>]+>", str(value), address, count=1)
            yield address


def rows_for(name: str, view: Any, campaign: Campaign) -> list[Any]:
    """Ids that this part of an address can stand for."""
    named: dict[str, type[Model]] = {
        "campaign_id": Campaign,
        "campaign": Campaign,
        "comparison_id": models.Comparison,
        "judgment_id": Judgment,
        "annotator_id": Annotator,
        "alert_id": models.Alert,
        "dataset_id": models.Dataset,
        "model_id": LanguageModel,
        "set_id": PromptSet,
        "prompt_set": PromptSet,
        "run_id": SamplingRun,
        "sampling_run": SamplingRun,
    }
    model = view.cls.queryset.model if name == "pk" and hasattr(view, "cls") else named.get(name)
    if model is None:
        return [campaign.pk]  # admin pages, tokens: no labeler comes so far
    ids = list(model._default_manager.order_by("pk").values_list("pk", flat=True))
    return sorted({*ids[:NUM_OF_A_KIND], *ids[-NUM_OF_A_KIND:]}) or [campaign.pk]


def test_a_labelers_pages_give_nothing_away(campaign: Campaign, crawler: Crawler) -> None:
    crawler.follow("/", f"/label/{campaign.pk}/", "/nowhere/")
    looks = work(crawler, campaign)
    crawler.seen.clear()
    crawler.follow("/", f"/label/{campaign.pk}/", "/label/session/")

    assert crawler.leaks == []
    assert set(looks) == PURPOSES
    assert {f"/label/{campaign.pk}/{page}/" for page in ("history", "settings", "next")} <= set(crawler.seen)


def test_tasks_of_every_purpose_look_the_same(campaign: Campaign, crawler: Crawler) -> None:
    looks = work(crawler, campaign)

    assert set(looks) == PURPOSES
    for purpose in PURPOSES:
        assert looks[purpose] == looks["main"], purpose


def test_tasks_of_every_purpose_look_the_same_over_rest(campaign: Campaign, crawler: Crawler) -> None:
    looks = work_over_rest(crawler, campaign)

    assert crawler.leaks == []
    assert set(looks) == PURPOSES
    for purpose in PURPOSES:
        assert looks[purpose] == looks["main"], purpose


def test_own_answers_of_every_purpose_look_the_same(campaign: Campaign, crawler: Crawler) -> None:
    work(crawler, campaign)

    page = crawler.get(f"/label/{campaign.pk}/history/", **SCRIPT)
    over_rest = json.loads(crawler.get(reverse("api-own-judgments", kwargs={"campaign": campaign.pk})))["results"]

    lines = [re.sub(r" <a .*?</a>", "", line) for line in re.findall(r"<li>.*?</li>", page, re.DOTALL)]
    assert len(lines) > 20
    assert len({shape_of(line) for line in lines}) == 1
    assert {frozenset(row) for row in over_rest} == {frozenset(over_rest[0])}
    assert crawler.leaks == []


def test_no_address_of_the_site_tells_a_labeler(factory: Factory, campaign: Campaign, crawler: Crawler) -> None:
    factory.dataset("Magrathea dataset", campaigns=[campaign])
    factory.judging_run(campaign)
    work(crawler, campaign)

    exports = [reverse("api-judgment-export"), reverse("export-file")]
    for address in addresses_of_everything(campaign):
        crawler.get(address)
    for address in exports:
        crawler.get(f"{address}?campaign={campaign.pk}&format=jsonl")

    assert crawler.leaks == []
    assert len(crawler.seen) > 200
    assert crawler.seen[reverse("api-labeling-campaigns")] == 200
    assert {crawler.seen[f"{address}?campaign={campaign.pk}&format=jsonl"] for address in exports} == {404}


def test_what_others_have_cannot_be_asked_for_by_writing(campaign: Campaign, crawler: Crawler) -> None:
    work(crawler, campaign)
    foreign_slots = Slot.objects.exclude(annotator__user__username="bob").exclude(annotator=None)
    lease = {"token": str(uuid.uuid4()), "answer": {"tiers": [[0], [1]]}, "idempotency_key": "k"}
    for slot in [*foreign_slots[:2], *foreign_slots.filter(purpose="adjudication")]:
        for action in ("api-judge-slot", "api-skip-slot", "api-save-draft", "api-renew-lease", "api-release-slot"):
            crawler.post_json(reverse(action, kwargs={"pk": slot.pk}), lease)
        for action in ("submit", "draft", "renew", "skip"):
            given = {
                "slot": slot_numbers.shown(slot.pk),
                "token": lease["token"],
                "answer": '{"tiers": [[0], [1]]}',
                "key": "k",
            }
            crawler.post(f"/label/{campaign.pk}/{action}/", given)
    for judgment in Judgment.objects.exclude(annotator__user__username="bob")[:3]:
        crawler.post_json(reverse("api-revise-judgment", kwargs={"pk": judgment.pk}), lease)
        crawler.post(f"/label/{campaign.pk}/revise/", {"judgment": judgment.pk, "answer": "{}", "key": "k"})
        crawler.get(f"/label/{campaign.pk}/again/{judgment.pk}/")

    assert crawler.leaks == []
