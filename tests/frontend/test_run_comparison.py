"""Training runs side by side, their samples over time, and their model cards."""

from __future__ import annotations

import pytest

from frontend.run_comparison import comparison
from frontend.samples_over_time import evenly, samples_over_time
from tests.factory import Factory
from tests.frontend.conftest import READERS_ONLY, Browse, Statuses
from training.models import SampleText, TrainingRun


@pytest.mark.parametrize("ending", ["card.md", "samples/"])
def test_readers_alone_see_card_and_samples(factory: Factory, statuses: Statuses, ending: str) -> None:
    assert statuses(f"/training/{factory.training_run().pk}/{ending}") == READERS_ONLY


def test_two_runs_are_shown_with_what_they_differ_in(factory: Factory, browse: Browse) -> None:
    one = factory.training_run("One", config={"beta": 0.1, "batch_size": 4})
    two = factory.training_run("Two", config={"beta": 0.5, "batch_size": 4})

    page = browse(factory.alice()).get(f"/training/compare/?run={two.pk}&run={one.pk}&run={two.pk}").content.decode()

    assert page.index(">Two</a>") < page.index(">One</a>")
    assert '<tr class="differs"><th scope="row">Beta</th><td>0.5</td><td>0.1</td></tr>' in page
    assert "batch size" in page.split("Settings in common")[1]
    assert "Held out accuracy" in page
    assert f"/training/compare/curves/?run={two.pk}&amp;run={one.pk}&amp;" in page


def test_settings_that_a_run_lacks_differ(factory: Factory) -> None:
    one = factory.training_run(config={"fresh": {"num_layers": 2}})
    two = factory.training_run(config={})

    found = comparison([one, two])

    assert [(row.name, row.values) for row in found["differing"]] == [("fresh.num_layers", [2, None])]


def test_nothing_of_others_is_compared(factory: Factory, browse: Browse) -> None:
    run = factory.training_run("Secret")
    client = browse(factory.charlie())

    assert "Secret" not in client.get(f"/training/compare/?run={run.pk}").content.decode()
    assert client.get(f"/training/compare/curves/?run={run.pk}").json() == {"runs": []}
    assert browse(factory.bob()).get(f"/training/compare/?run={run.pk}").status_code == 404


@pytest.mark.parametrize("query", ["", "?run=x", "?run=²", "?run=" + "9" * 40, "?run=999999"])
def test_an_address_without_runs_asks_for_some(factory: Factory, browse: Browse, query: str) -> None:
    factory.training_run("Here")

    page = browse(factory.alice()).get(f"/training/compare/{query}").content.decode()

    assert "Choose runs to compare" in page
    assert ">Here ·" in page


def test_at_most_eight_runs_are_compared(factory: Factory, browse: Browse) -> None:
    runs = [factory.training_run(num_steps=1) for _ in range(9)]
    query = "&".join(f"run={run.pk}" for run in runs)

    shown = browse(factory.alice()).get(f"/training/compare/curves/?{query}").json()["runs"]

    assert [run["id"] for run in shown] == [run.pk for run in runs[:8]]
    assert shown[0]["step"]["loss"] == [[1, 1.0]]


def test_runs_are_chosen_in_the_list(factory: Factory, browse: Browse) -> None:
    runs = [factory.training_run(), factory.training_run()]

    page = browse(factory.alice()).get("/training/").content.decode()

    assert 'action="/training/compare/"' in page
    for run in runs:
        assert f'<input type="checkbox" name="run" value="{run.pk}"' in page
    assert 'name="run"' not in browse(factory.alice()).get("/").content.decode()


def test_a_card_is_a_markdown_file_under_the_runs_name(factory: Factory, browse: Browse) -> None:
    run = factory.training_run("My run: 2")

    reply = browse(factory.dana()).get(f"/training/{run.pk}/card.md")

    assert reply["Content-Type"] == "text/markdown; charset=utf-8"
    assert reply["Content-Disposition"] == 'attachment; filename="my-run-2-model-card.md"'
    assert "# My run: 2" in reply.content.decode()


def with_samples(factory: Factory, *steps: int) -> TrainingRun:
    run = factory.training_run(num_steps=0)
    SampleText.objects.bulk_create(
        SampleText(run=run, step=step, prompt=prompt, text=f"{prompt} at {step}") for step in steps for prompt in "ab"
    )
    return run


def test_samples_of_a_prompt_stand_together_from_first_to_last(factory: Factory) -> None:
    run = with_samples(factory, *range(0, 90, 10))

    first, second = samples_over_time(run)

    assert (first.prompt, second.prompt) == ("a", "b")
    assert [sample.step for sample in first.shown] == [0, 20, 40, 60, 80]
    assert first.num_samples == 9


def test_few_samples_are_all_shown(factory: Factory) -> None:
    (one, _) = samples_over_time(with_samples(factory, 1, 2))

    assert [sample.step for sample in one.shown] == [1, 2]
    assert evenly([], 5) == []


def test_the_page_of_samples_has_every_one(factory: Factory, browse: Browse) -> None:
    run = with_samples(factory, *range(12))

    page = browse(factory.alice()).get(f"/training/{run.pk}/samples/").content.decode()

    assert page.count('<tr><td class="n">') == 24
    assert "b at 11" in page
