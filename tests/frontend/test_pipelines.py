"""Pipeline pages."""

from pipeline.models import PipelineRun
from tests.factory import Factory
from tests.frontend.conftest import READERS_ONLY, Browse, Statuses


def test_readers_alone_see_a_pipeline(factory: Factory, statuses: Statuses) -> None:
    assert statuses(f"/pipelines/{factory.pipeline().pk}/") == READERS_ONLY


def test_steps_link_to_what_they_made(factory: Factory, browse: Browse) -> None:
    run = factory.pipeline()
    training = factory.training_run("SFT run", status="running")
    campaign, prompt_set, model = factory.campaign("Pairs"), factory.prompt_set(), factory.model("sft-model")
    step = run.steps.get(key="sft")
    step.jobs = [["training.trainingrun", training.pk]]
    step.outputs = {
        "pairwise": campaign.pk,
        "prompt_set": prompt_set.pk,
        "sft_model": model.pk,
        "sft_run": training.pk,
        "num_pairs": 7,
    }
    step.save()

    page = browse(factory.alice()).get(f"/pipelines/{run.pk}/").content.decode()

    for url in (
        f"/training/{training.pk}/",
        f"/campaigns/{campaign.pk}/",
        f"/prompt-sets/{prompt_set.pk}/",
        f"/models/{model.pk}/",
    ):
        assert page.count(f'href="{url}"') == 1
    assert "sft done" in page


def test_rows_that_are_gone_are_not_linked(factory: Factory, browse: Browse) -> None:
    run = factory.pipeline()
    run.steps.update(jobs=[["training.trainingrun", 999_999]])

    page = browse(factory.alice()).get(f"/pipelines/{run.pk}/").content.decode()

    assert "999999" not in page


def test_a_failed_step_says_why(factory: Factory, browse: Browse) -> None:
    run = factory.pipeline(status="failed")
    run.steps.filter(key="sft").update(status="failed", error="Row 3 has no text.")

    client = browse(factory.alice())

    assert "Row 3 has no text." in client.get(f"/pipelines/{run.pk}/").content.decode()
    assert "Row 3 has no text." in client.get("/pipelines/").content.decode()


def test_a_running_pipeline_refreshes_itself(factory: Factory, browse: Browse) -> None:
    client = browse(factory.alice(), htmx=True)

    fragment = client.get(f"/pipelines/{factory.pipeline().pk}/").content.decode()
    ended = client.get(f"/pipelines/{factory.pipeline(status='finished').pk}/").content.decode()

    assert "<html" not in fragment
    assert "every 2s" in fragment
    assert "every 2s" not in ended


def test_an_engineer_cancels_a_pipeline(factory: Factory, browse: Browse) -> None:
    run = factory.pipeline()

    assert browse(factory.bob()).post(f"/pipelines/{run.pk}/cancel/").status_code == 404
    assert browse(factory.dana()).post(f"/pipelines/{run.pk}/cancel/")["Location"] == f"/pipelines/{run.pk}/"
    assert PipelineRun.objects.get(pk=run.pk).status == "cancelled"
    assert browse(factory.dana()).post(f"/pipelines/{run.pk}/cancel/").status_code == 409
