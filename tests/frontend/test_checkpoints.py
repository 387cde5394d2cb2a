"""The page of a checkpoint, and the judgments behind the rows of its dataset."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.conf import LazySettings

from tests.factory import Factory
from tests.factory.traces import traced
from tests.frontend.conftest import READERS_ONLY, Browse, Statuses
from training.models import Checkpoint


def test_readers_alone_see_a_checkpoint_and_its_judgments(factory: Factory, statuses: Statuses) -> None:
    made = traced(factory, ["AA"])

    assert statuses(f"/checkpoints/{made.checkpoint.pk}/") == READERS_ONLY
    assert statuses(f"/datasets/{made.dataset.pk}/judgments/") == READERS_ONLY


def test_the_page_walks_from_the_weights_to_the_annotators(factory: Factory, browse: Browse) -> None:
    made = traced(factory, ["AA", "A-"])

    page = browse(factory.dana()).get(f"/checkpoints/{made.checkpoint.pk}/").content.decode()

    assert f'href="/training/{made.run.pk}/"' in page
    assert f'href="/datasets/{made.dataset.pk}/"' in page
    assert f'href="/campaigns/{made.campaign.pk}/"' in page
    for annotator in made.annotators:
        assert f"/datasets/{made.dataset.pk}/judgments/?annotator={annotator.pk}" in page


def test_the_judgments_of_a_row_say_who_when_under_what_and_where(factory: Factory, browse: Browse) -> None:
    made = traced(factory, ["AA"])
    [comparison] = made.campaign.comparisons.all()

    page = browse(factory.dana()).get(f"/datasets/{made.dataset.pk}/judgments/").content.decode()

    assert page.count("for the chosen one") == 2
    assert page.count("question 1, guidelines 1") == 2
    assert f'href="/campaigns/{made.campaign.pk}/adjudication/{comparison.pk}/"' in page
    assert comparison.prompt.messages[-1]["content"] in page


def test_rows_are_kept_of_one_annotator(factory: Factory, browse: Browse) -> None:
    made = traced(factory, ["A-", "-A", "AA"])
    url = f"/datasets/{made.dataset.pk}/judgments/?annotator={made.annotators[1].pk}"

    page = browse(factory.dana()).get(url).content.decode()

    assert page.count('class="traced"') == 2


def test_a_vote_against_the_row_is_seen_as_one(factory: Factory, browse: Browse) -> None:
    made = traced(factory, ["AAB"])

    page = browse(factory.dana()).get(f"/datasets/{made.dataset.pk}/judgments/").content.decode()

    assert (page.count("for the chosen one"), page.count("for the rejected one")) == (2, 1)


@pytest.mark.parametrize("query", ["annotator=0", "annotator=nobody", "page=99", "page=x"])
def test_a_strange_query_shows_every_row(factory: Factory, browse: Browse, query: str) -> None:
    made = traced(factory, ["A-", "-A"])

    page = browse(factory.dana()).get(f"/datasets/{made.dataset.pk}/judgments/?{query}").content.decode()

    assert page.count('class="traced"') == 2


def test_an_llm_judge_is_shown_with_its_version_and_template(factory: Factory, browse: Browse) -> None:
    made = traced(factory, ["A"])
    version = factory.llm_judge().versions.get()
    judged = factory.judge_records(made.campaign)
    judged.verdicts.update(judgment=made.campaign.comparisons.get().judgments.get(), version=version)

    page = browse(factory.dana()).get(f"/datasets/{made.dataset.pk}/judgments/").content.decode()

    assert f"judge version 1 with {version.model}" in page
    assert version.template_hash[:12] in page


def test_ppo_shows_the_datasets_behind_its_models(factory: Factory, browse: Browse) -> None:
    made = traced(factory, ["AA"])
    made.checkpoint.language_model = factory.model(kind="reward")
    made.checkpoint.save()
    run = factory.training_run(algorithm="ppo", reward_model=made.checkpoint.language_model)

    page = browse(factory.dana()).get(f"/checkpoints/{run.checkpoints.get().pk}/").content.decode()

    assert "PPO trains on prompts" in page
    assert f'href="/datasets/{made.dataset.pk}/judgments/"' in page


def test_a_dataset_whose_file_is_gone_is_said_to_be(factory: Factory, browse: Browse) -> None:
    made = traced(factory, ["AA"])
    made.dataset.parquet_path.unlink()

    assert "is not on this server" in browse(factory.dana()).get(f"/checkpoints/{made.checkpoint.pk}/").content.decode()
    assert browse(factory.dana()).get(f"/datasets/{made.dataset.pk}/judgments/").status_code == 410


def test_engineers_publish_from_the_page(
    factory: Factory, browse: Browse, settings: LazySettings, tmp_path: Path
) -> None:
    settings.RUNS_DIR = tmp_path
    checkpoint: Checkpoint = factory.training_run().checkpoints.get()
    checkpoint.folder.mkdir(parents=True)
    (checkpoint.folder / "config.json").write_text('{"model_type": "llama"}')
    for name in ("model.safetensors", "tokenizer.json", "chat_template.jinja"):
        (checkpoint.folder / name).write_text("{}")

    answer = browse(factory.dana()).post(f"/checkpoints/{checkpoint.pk}/publish/", {"name": "Mine"})

    assert answer.status_code == 302
    checkpoint.refresh_from_db()
    assert checkpoint.language_model is not None
    assert checkpoint.language_model.name == "Mine"


def test_labelers_cannot_publish(factory: Factory, browse: Browse) -> None:
    checkpoint = factory.training_run().checkpoints.get()

    assert browse(factory.bob()).post(f"/checkpoints/{checkpoint.pk}/publish/").status_code == 404
