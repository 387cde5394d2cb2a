"""Evaluation pages."""

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
