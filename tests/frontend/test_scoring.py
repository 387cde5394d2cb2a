"""Pages of scoring runs, and campaigns that are filled by their scores."""

from __future__ import annotations

from annotation.models import Campaign
from annotation.question import pairwise
from evaluation.models import EvaluationRun
from generation.models import LanguageModel, ScoringRun
from tests.factory import Factory
from tests.frontend.conftest import READERS_ONLY, Browse, Statuses
from tests.frontend.test_questions import whole


def test_readers_see_scores_and_the_campaigns_that_were_filled_by_them(
    factory: Factory, browse: Browse, statuses: Statuses
) -> None:
    run = factory.scoring_run()
    body = whole(factory, pairwise(), sampling_run=run.sampling_run_id, choice="widest", scoring_run=run.pk)
    assert browse(factory.alice()).post("/campaigns/new/create/", body).status_code == 302
    made = Campaign.objects.get()
    assert set(made.comparisons.values_list("choice", "scoring_run")) == {("widest", run.pk)}
    assert statuses(f"/scoring-runs/{run.pk}/") == READERS_ONLY
    page = browse(factory.dana()).get(f"/scoring-runs/{run.pk}/").content.decode()
    assert "Widest apart" in page
    assert f'<a href="/campaigns/{made.pk}/">{made}</a>' in page
    sampled = browse(factory.dana()).get(f"/sampling-runs/{run.sampling_run_id}/").content.decode()
    assert "score 5.000" in sampled
    assert f"/scoring-runs/{run.pk}/" in sampled


def test_readers_see_where_the_members_of_an_ensemble_disagree(factory: Factory, browse: Browse) -> None:
    sampling_run = factory.sampling_run(factory.prompt_set(num_prompts=1), num_completions=2)
    run = factory.scoring_run(sampling_run, members=[[3.0, -1.0], [0.0, 1.0]])
    page = browse(factory.dana()).get(f"/scoring-runs/{run.pk}/").content.decode()
    assert "Most disputed" in page
    assert "1.000 ± 2.000" in page
    assert "± 2.000" in browse(factory.dana()).get(f"/sampling-runs/{sampling_run.pk}/").content.decode()
    plain = factory.scoring_run()
    assert "Most disputed" not in browse(factory.dana()).get(f"/scoring-runs/{plain.pk}/").content.decode()


def test_a_campaign_takes_disputed_pairs_from_an_ensemble_alone(factory: Factory, browse: Browse) -> None:
    sampling_run = factory.sampling_run()
    plain = factory.scoring_run(sampling_run)
    ensemble = factory.scoring_run(sampling_run, members=[[1.0, 2.0]] * 6)
    alice = browse(factory.alice())

    def created(run: ScoringRun) -> tuple[int, str]:
        body = whole(factory, pairwise(), sampling_run=sampling_run.pk, choice="disputed", scoring_run=run.pk)
        reply = alice.post("/campaigns/new/create/", body)
        return reply.status_code, reply.content.decode()

    status, words = created(plain)
    assert status == 422
    assert "has a single head" in words
    assert created(ensemble)[0] == 302
    assert Campaign.objects.get().comparisons.filter(choice="disputed", scoring_run=ensemble).count() == 3


def test_the_page_comes_anew_when_the_run_has_ended(factory: Factory, browse: Browse) -> None:
    dana, asks = browse(factory.dana()), {"HX-Request": "true"}
    runs = {"scoring": factory.scoring_run(), "sampling": factory.sampling_run(), "guard": factory.guard_run()}
    for noun, run in runs.items():
        path = f"/{noun}-runs/{run.pk}/"
        assert dana.get(path, headers=asks)["HX-Refresh"] == "true"
        type(run)._default_manager.filter(pk=run.pk).update(status="running")
        assert "HX-Refresh" not in dana.get(path, headers=asks).headers


def test_a_campaign_is_not_filled_by_scores_of_other_replies(factory: Factory, browse: Browse) -> None:
    run, other = factory.sampling_run(), factory.scoring_run()
    for chosen, words in ((other.pk, "of another sampling run"), ("", "Name the scores to choose by")):
        body = whole(factory, pairwise(), sampling_run=run.pk, choice="widest", scoring_run=chosen)
        reply = browse(factory.alice()).post("/campaigns/new/create/", body)
        assert reply.status_code == 422
        assert words in reply.content.decode()
    assert not Campaign.objects.exists()


def test_engineers_start_and_cancel_a_scoring_run(factory: Factory, browse: Browse) -> None:
    sampling_run, dana = factory.sampling_run(), browse(factory.dana())
    assert "Score by" not in dana.get(f"/sampling-runs/{sampling_run.pk}/").content.decode()
    reward = factory.model("Reward", kind=LanguageModel.Kind.REWARD)
    assert "Score by" in dana.get(f"/sampling-runs/{sampling_run.pk}/").content.decode()
    start = f"/sampling-runs/{sampling_run.pk}/score/"
    reply = dana.post(start, {"reward_model": reward.pk})
    run = ScoringRun.objects.get()
    assert reply["Location"] == f"/scoring-runs/{run.pk}/"
    assert (run.reward_model, run.created_by, run.status) == (reward, factory.dana(), "queued")
    dana.post(f"/scoring-runs/{run.pk}/cancel/")
    run.refresh_from_db()
    assert run.status == "cancelled"
    for user in (factory.bob(), factory.charlie()):
        assert browse(user).post(start, {"reward_model": reward.pk}).status_code == 404
    assert dana.post(start, {"reward_model": "x"}).status_code == 404


def test_the_best_of_n_is_compared_with_from_the_scores(factory: Factory, browse: Browse) -> None:
    reference, policy, judge = factory.model("Reference"), factory.model("Policy"), factory.judge("Rubric")
    run = factory.sampling_run(models=[reference, policy])
    scoring = factory.scoring_run(run)
    dana = browse(factory.dana())
    page = dana.get(f"/scoring-runs/{scoring.pk}/").content.decode()
    assert "2 replies of Reference" in page

    dana.post(f"/scoring-runs/{scoring.pk}/best-of-n/", {"baseline": reference.pk, "judge": judge.pk})

    evaluation = EvaluationRun.objects.get()
    assert (evaluation.baseline, list(evaluation.subjects.all())) == (reference, [policy])
    assert evaluation.scoring_run == scoring
    assert "best of N by" in dana.get(f"/evaluations/{evaluation.pk}/").content.decode()


def test_labelers_start_no_best_of_n(factory: Factory, browse: Browse) -> None:
    scoring = factory.scoring_run()

    assert browse(factory.bob()).post(f"/scoring-runs/{scoring.pk}/best-of-n/").status_code == 404
