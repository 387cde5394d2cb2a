"""Starting the next round from the page of a checkpoint."""

from __future__ import annotations

from annotation import services as annotation
from pipeline.models import Round
from tests.factory import Factory
from tests.frontend.conftest import READERS_ONLY, Browse, Statuses
from training.models import Checkpoint


def published(factory: Factory) -> Checkpoint:
    checkpoint: Checkpoint = factory.training_run(algorithm="dpo").checkpoints.get()
    checkpoint.language_model = factory.model("Policy", parent=factory.model("Base"))
    checkpoint.save()
    return checkpoint


def test_managers_start_a_round_from_the_page(factory: Factory, browse: Browse, statuses: Statuses) -> None:
    checkpoint, campaign = published(factory), factory.campaign("Round 1")
    annotation.add_comparisons(campaign=campaign, sampling_run=factory.sampling_run())
    alice = browse(factory.alice())
    assert "Start the next round" in alice.get(f"/checkpoints/{checkpoint.pk}/").content.decode()

    body = {"former": campaign.pk, "prompt_set": "", "beside": "1", "opens": "1"}
    answer = alice.post(f"/checkpoints/{checkpoint.pk}/next-round/", body)

    found = Round.objects.get()
    assert answer.headers["Location"] == f"/rounds/{found.pk}/"
    assert [arm.model.name for arm in found.sampling_run.arms.all()] == ["Policy", "Base"]
    page = alice.get(f"/rounds/{found.pk}/").content.decode()
    assert f'href="/campaigns/{found.campaign_id}/"' in page
    assert f'href="/rounds/{found.pk}/"' in alice.get(f"/checkpoints/{checkpoint.pk}/").content.decode()
    assert statuses(f"/rounds/{found.pk}/") == READERS_ONLY


def test_engineers_see_rounds_and_start_none(factory: Factory, browse: Browse) -> None:
    checkpoint, campaign = published(factory), factory.campaign()
    dana = browse(factory.dana())

    assert "Start the next round" not in dana.get(f"/checkpoints/{checkpoint.pk}/").content.decode()
    assert dana.post(f"/checkpoints/{checkpoint.pk}/next-round/", {"former": campaign.pk}).status_code == 403


def test_a_checkpoint_that_is_not_published_says_so(factory: Factory, browse: Browse) -> None:
    checkpoint, campaign = factory.training_run(algorithm="dpo").checkpoints.get(), factory.campaign()

    answer = browse(factory.alice()).post(f"/checkpoints/{checkpoint.pk}/next-round/", {"former": campaign.pk})

    assert answer.status_code == 422
    assert "publish it first" in answer.content.decode()
