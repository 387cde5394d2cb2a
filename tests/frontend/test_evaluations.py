"""Evaluation pages."""

from django.urls import reverse

from tests.factory import Factory
from tests.frontend.conftest import READERS_ONLY, Browse, Statuses


def test_readers_alone_see_an_evaluation(factory: Factory, statuses: Statuses) -> None:
    run = factory.evaluation()

    assert statuses(f"/evaluations/{run.pk}/") == READERS_ONLY


def test_a_result_comes_with_its_interval_and_count(factory: Factory, browse: Browse) -> None:
    run = factory.evaluation("Win rate of May")
    client = browse(factory.alice())

    for url in (f"/evaluations/{run.pk}/", "/evaluations/"):
        page = client.get(url).content.decode()
        assert "62.0 %" in page
        assert "55.0 % – 69.0 %" in page
        assert 'class="interval above"' in page
        assert "on 2 prompts" in page


def test_results_that_are_no_shares_have_no_bar(factory: Factory, browse: Browse) -> None:
    run = factory.evaluation(kind="preference_accuracy")
    run.results.update(metric="margin", value=1.5, low=1.25, high=1.75)

    page = browse(factory.alice()).get(f"/evaluations/{run.pk}/").content.decode()

    assert "1.250 – 1.750" in page
    assert "interval-track" not in page


def test_details_such_as_the_tie_policy_are_shown(factory: Factory, browse: Browse) -> None:
    run = factory.evaluation()
    run.results.update(details={"tie_policy": "half", "wins": 3})

    page = browse(factory.alice()).get(f"/evaluations/{run.pk}/").content.decode()

    assert "tie policy half" in page
    assert "wins 3" in page


def test_the_list_names_runs_without_results(factory: Factory, browse: Browse) -> None:
    factory.evaluation("Still measuring", status="running")

    assert "Still measuring" in browse(factory.alice()).get("/evaluations/").content.decode()


def test_htmx_gets_the_moving_part_alone(factory: Factory, browse: Browse) -> None:
    run = factory.evaluation(status="running")

    fragment = browse(factory.alice(), htmx=True).get(f"/evaluations/{run.pk}/").content.decode()

    assert "<html" not in fragment
    assert "every 2s" in fragment


def test_an_engineer_cancels_a_running_evaluation(factory: Factory, browse: Browse) -> None:
    run = factory.evaluation(status="running")

    assert browse(factory.dana()).post(f"/evaluations/{run.pk}/cancel/").status_code == 302
    assert browse(factory.bob()).post(f"/evaluations/{run.pk}/cancel/").status_code == 404
    run.refresh_from_db()
    assert run.is_cancel_requested


# Judges with a language model


def test_readers_alone_see_what_was_compared(factory: Factory, statuses: Statuses) -> None:
    assert statuses(f"/evaluations/{factory.llm_evaluation().pk}/pairs/") == READERS_ONLY


def test_how_the_pairs_ended_stands_beside_the_judge(factory: Factory, browse: Browse) -> None:
    run = factory.llm_evaluation()
    run.pairs.filter(pk=run.pairs.latest("pk").pk).update(state="refused", reason="3 refused")

    page = browse(factory.alice()).get(f"/evaluations/{run.pk}/").content.decode()

    assert ">Refused</th>" in page
    assert "orders that disagree are a tie" in page
    assert "never held against people" in page
    assert f"/judges/{run.judge_id}/?version=1" in page


def test_a_judge_that_is_one_of_the_models_is_warned_about(factory: Factory, browse: Browse) -> None:
    run = factory.llm_evaluation()
    client = browse(factory.alice())
    assert "one of the models compared" not in client.get(f"/evaluations/{run.pk}/").content.decode()
    run.subjects.add(run.judge_version.model)  # type: ignore[union-attr] # it has one

    assert "one of the models compared" in client.get(f"/evaluations/{run.pk}/").content.decode()


def test_agreement_with_people_is_shown_where_the_version_was_calibrated(factory: Factory, browse: Browse) -> None:
    run, records = factory.llm_evaluation(), factory.judge_records()
    run.judge, run.judge_version = records.annotator, records.version
    run.save()

    page = browse(factory.alice()).get(f"/evaluations/{run.pk}/").content.decode()

    address = reverse("calibration", args=[records.campaign_id, records.annotator_id])
    assert f'{address}?version=1"' in page


def test_pairs_are_chosen_by_state_and_show_replies_and_words(factory: Factory, browse: Browse) -> None:
    run = factory.llm_evaluation()
    first, last = run.pairs.earliest("pk"), run.pairs.latest("pk")
    run.pairs.filter(pk=last.pk).update(state="unparsed", reason="6 unparsed")
    factory.pair_call(last, reply="Both are <b>fine</b>", outcome="unparsed", reason="there is no verdict")
    client = browse(factory.alice())

    page = client.get(f"/evaluations/{run.pk}/pairs/?state=unparsed").content.decode()

    assert "Both are &lt;b&gt;fine&lt;/b&gt;" in page
    assert "6 unparsed" in page
    assert last.ours.text in page
    assert first.ours.text not in page
    assert "No pair is truncated" in client.get(f"/evaluations/{run.pk}/pairs/?state=truncated").content.decode()


def test_lists_show_the_win_rate_and_not_every_figure(factory: Factory, browse: Browse) -> None:
    run = factory.llm_evaluation()
    result = run.results.get()
    result.pk, result.metric = None, "flip_rate"
    result.save()
    client = browse(factory.alice())

    assert "flip rate" not in client.get("/evaluations/").content.decode()
    assert "flip rate" in client.get(f"/evaluations/{run.pk}/").content.decode()
