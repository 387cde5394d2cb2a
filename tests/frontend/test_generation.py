"""Pages of prompt sets, language models and sampling runs."""

from generation.candidate_marking import mark_candidates
from tests.factory import Factory
from tests.frontend.conftest import READERS_ONLY, Browse, Statuses


def test_readers_alone_see_a_prompt_set(factory: Factory, statuses: Statuses) -> None:
    prompt_set = factory.prompt_set(num_prompts=2)

    assert statuses(f"/prompt-sets/{prompt_set.pk}/") == READERS_ONLY


def test_a_prompt_set_shows_counts_and_the_held_out_share(factory: Factory, browse: Browse) -> None:
    prompt_set = factory.prompt_set(num_prompts=30)
    num_held_out = len(prompt_set.prompts.in_split("held_out", held_out_fraction=0.3))

    page = browse(factory.alice()).get(f"/prompt-sets/{prompt_set.pk}/").content.decode()

    assert "<dd>30</dd>" in page
    assert f"<dd>{num_held_out} (" in page
    assert prompt_set.prompts.earliest("pk").last_turn in page
    assert "page 1 of 2" in page


def test_the_second_page_goes_on(factory: Factory, browse: Browse) -> None:
    prompt_set = factory.prompt_set(num_prompts=30)

    page = browse(factory.alice()).get(f"/prompt-sets/{prompt_set.pk}/?page=2").content.decode()

    assert page.count("plus 1?") == 5


def test_readers_alone_see_a_sampling_run(factory: Factory, statuses: Statuses) -> None:
    run = factory.sampling_run()

    assert statuses(f"/sampling-runs/{run.pk}/") == READERS_ONLY


def test_a_sampling_run_shows_arms_and_completions_with_duplicates_marked(factory: Factory, browse: Browse) -> None:
    run = factory.sampling_run(models=[factory.model("speaker-one")])
    first, second = run.completions.order_by("pk")[:2]
    second.duplicate_of = first
    second.save()

    page = browse(factory.alice()).get(f"/sampling-runs/{run.pk}/").content.decode()

    assert "speaker-one" in page
    assert first.text in page
    assert page.count('class="is-duplicate"') == 1
    assert "6, of them 1 near-duplicates" in page


def test_htmx_gets_the_moving_part_alone(factory: Factory, browse: Browse) -> None:
    run = factory.sampling_run(status="running")

    fragment = browse(factory.alice(), htmx=True).get(f"/sampling-runs/{run.pk}/").content.decode()

    assert "<html" not in fragment
    assert "every 2s" in fragment


def test_an_engineer_cancels_a_sampling_run(factory: Factory, browse: Browse) -> None:
    run = factory.sampling_run(status="queued")

    assert browse(factory.charlie()).post(f"/sampling-runs/{run.pk}/cancel/").status_code == 404
    assert browse(factory.dana()).post(f"/sampling-runs/{run.pk}/cancel/").status_code == 302
    run.refresh_from_db()
    assert run.status == "cancelled"


def test_readers_alone_see_a_model(factory: Factory, statuses: Statuses) -> None:
    assert statuses(f"/models/{factory.model().pk}/") == READERS_ONLY


def test_a_model_leads_back_to_its_run_and_parent(factory: Factory, browse: Browse) -> None:
    parent = factory.model("parent-model")
    model = factory.model("child-model", parent=parent)
    run = factory.training_run()
    run.checkpoints.update(language_model=model)

    page = browse(factory.alice()).get(f"/models/{model.pk}/").content.decode()

    assert f'href="/training/{run.pk}/"' in page
    assert f'href="/models/{parent.pk}/"' in page
    assert "0" * 64 in page


def test_a_model_shows_what_was_measured(factory: Factory, browse: Browse) -> None:
    evaluation = factory.evaluation("Win rate of May")
    model = evaluation.subjects.get()

    page = browse(factory.alice()).get(f"/models/{model.pk}/").content.decode()

    assert "Win rate of May" in page
    assert "62.0 %" in page


def test_a_sampling_run_that_has_ended_says_what_is_remarkable(
    factory: Factory, browse: Browse, statuses: Statuses
) -> None:
    run = factory.sampling_run(num_completions=2)
    refusal = "I'm sorry, but I can't <b>help</b> with that."
    run.completions.filter(pk=run.completions.earliest("pk").pk).update(text=refusal)
    mark_candidates(run)
    page = browse(factory.dana()).get(f"/sampling-runs/{run.pk}/").content.decode()
    assert '1 <span class="muted">of 6 completions' in page
    assert "can&#x27;t &lt;b&gt;help&lt;/b&gt;" in page
    assert "mean over 3 prompts" in page
    assert statuses(f"/sampling-runs/{run.pk}/figures/") == READERS_ONLY
    figures = browse(factory.dana()).get(f"/sampling-runs/{run.pk}/figures/").json()
    assert (figures["unit"], figures["width"], figures["series"][0]["counts"]) == ("tokens", 1, [0, 0, 0, 0, 6])


def test_a_sampling_run_that_goes_on_says_nothing_of_it_yet(factory: Factory, browse: Browse) -> None:
    run = factory.sampling_run(status="running")
    assert "What is remarkable" not in browse(factory.dana()).get(f"/sampling-runs/{run.pk}/").content.decode()
