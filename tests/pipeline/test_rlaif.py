"""Reinforcement learning from AI feedback, over REST: from a constitution to data that a training run takes."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pyarrow.parquet as pq
import pytest
from django.conf import LazySettings
from rest_framework.test import APIClient

from annotation import tasks as annotation_tasks
from annotation.models import JudgeCall
from generation import tasks as generation_tasks
from tests.factory import Factory
from tests.generation.engines.chat_server import ChatServer, Reply, chat_server, completion
from training import run_directory
from training.models import TrainingRun

PRINCIPLE = "Prefer the reply that is kinder to the person who asks."
NUM_PROMPTS = 6
Post = Callable[..., dict[str, Any]]
_REPLY = re.compile(r"<<<REPLY ([AB]) \w+>>>\n(.*?)\n<<<END OF REPLY", re.DOTALL)


def model(path: str, body: dict[str, Any]) -> Reply:
    """Answers curtly, criticises, revises, and judges: one model in all four roles."""
    asked = body["messages"][-1]["content"]
    if replies := dict(_REPLY.findall(asked)):
        kinder = "A" if "friend" in replies["A"] else "B"
        return completion(json.dumps({"reasoning": "It is kinder.", "verdict": kinder}))
    if "criticise" in asked:
        return completion("It is curt.")
    if "rewrite" in asked:
        return completion(f"My friend, {body['messages'][-4]['content']}")
    return completion(*(f"Find out yourself, {number}." for number in range(body["n"])))


@pytest.fixture
def server(settings: LazySettings) -> Iterator[ChatServer]:
    settings.ALLOWED_PRIVATE_HOSTS = ("127.0.0.1",)
    with chat_server(model) as running:
        yield running


@pytest.fixture
def post(factory: Factory, api: Callable[..., APIClient]) -> Post:
    """`post("models", …)` as the workspace's manager."""
    client = api(factory.alice())

    def post(address: str, **body: Any) -> dict[str, Any]:
        response = client.post(f"/api/v1/{address}", body)
        assert response.status_code in (200, 201), response.content
        answer: dict[str, Any] = response.json()
        return answer

    return post


def test_a_constitution_ends_as_data_that_training_takes(factory: Factory, server: ChatServer, post: Post) -> None:
    workspace = {"workspace": factory.workspace().pk}
    spoken = post("models", **workspace, name="Small", source="served", location="small", endpoint_url=server.url)["id"]
    revised = _revised(post, workspace, factory.prompt_set(num_prompts=NUM_PROMPTS).pk, spoken)
    campaign = _judged(post, workspace, revised, spoken)
    dataset = post("datasets", **workspace, name="From AI feedback", campaigns=[campaign])["id"]
    annotation_tasks.freeze_dataset(dataset)
    start = factory.model().pk
    training = post("training-runs", **workspace, name="DPO", algorithm="dpo", dataset=dataset, init_model=start)
    run = TrainingRun.objects.get(pk=training["id"])
    run_directory.prepare(run)
    rows = pq.read_table(run.folder / "data.parquet").to_pylist()
    assert len(rows) == NUM_PROMPTS
    assert {row["rejected"] for row in rows} == {"Find out yourself, 0."}
    assert {row["chosen"] for row in rows} == {"My friend, Find out yourself, 0."}


def _revised(post: Post, workspace: dict[str, int], prompt_set: int, spoken: int) -> int:
    """A revision run over curt replies to each prompt."""
    arms = [{"model": spoken, "num_completions": 1}]
    sampling = post("sampling-runs", **workspace, name="Curt", prompt_set=prompt_set, arms=arms)["id"]
    generation_tasks.run_sampling(sampling)
    kind = {"name": "Kind", "critique": "criticise your reply: is it kind?", "revision": "rewrite it kindly."}
    constitution = post("constitutions", **workspace, name="Kindness", principles=[kind])["id"]
    fields = {"sampling_run": sampling, "constitution": constitution, "model": spoken}
    revised: int = post("revision-runs", **workspace, name="Kinder", **fields)["id"]
    generation_tasks.run_revision(revised)
    return revised


def _judged(post: Post, workspace: dict[str, int], revised: int, spoken: int) -> int:
    """A campaign of originals beside revisions, judged by the principle in both orders."""
    campaign: int = post("campaigns", **workspace, name="Which is kinder?", question={"kind": "pairwise"})["id"]
    added = post(f"campaigns/{campaign}/revision-comparisons", revision_run=revised)
    assert added == {"num_added": NUM_PROMPTS}
    post(f"campaigns/{campaign}/open")
    given = {"protocol": "constitution", "model": spoken, "parameters": {"principles": [PRINCIPLE]}}
    judge = post("judges", **workspace, name="By the principle", **given)["id"]
    judging = post("judging-runs", campaign=campaign, annotator=judge)["id"]
    annotation_tasks.run_judging(judging)
    calls = JudgeCall.objects.filter(run=judging)
    assert calls.count() == 2 * NUM_PROMPTS
    assert all(PRINCIPLE in call.call["messages"][-1]["content"] for call in calls)
    return campaign
