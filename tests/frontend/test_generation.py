"""Pages of prompt sets, language models and sampling runs."""

from collections.abc import Mapping

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


def form_of(*arms: Mapping[str, object], **fields: object) -> dict[str, object]:
    """What a browser would send."""
    sent: dict[str, object] = {"name": "Try", "split": "all", "max_prompts": "", "seed": 3, "max_attempts": 2, **fields}
    sent["arm"] = [str(number) for number in range(len(arms))]
    usual = {"num_completions": 2, "temperature": 0.5, "top_p": 1, "max_new_tokens": 64}
    for number, arm in enumerate(arms):
        sent |= {f"arm{number}-{name}": value for name, value in {**usual, **arm}.items()}
    return sent


def test_those_who_may_sample_get_the_form(factory: Factory, statuses: Statuses) -> None:
    assert statuses(f"/prompt-sets/{factory.prompt_set(num_prompts=1).pk}/sample/") == READERS_ONLY


def test_a_run_of_several_arms_is_started_from_the_page(factory: Factory, browse: Browse) -> None:
    prompt_set, model = factory.prompt_set(num_prompts=3), factory.model("Base")
    brief = {"model": model.pk, "name": "Brief", "system_prompt": "Be brief.", "stop": "\\n\\n\nEnd", "top_p": 0.9}
    address = f"/prompt-sets/{prompt_set.pk}/sample/start/"
    response = browse(factory.dana()).post(address, form_of({"model": model.pk}, brief))
    run = prompt_set.sampling_runs.get()
    assert (response.status_code, response["Location"]) == (302, f"/sampling-runs/{run.pk}/")
    assert (run.status, run.seed, run.max_attempts, run.created_by) == ("queued", 3, 2, factory.dana())
    assert [(arm.label, arm.system_prompt, arm.stop) for arm in run.arms.all()] == [
        ("Base", "", []),
        ("Brief", "Be brief.", ["\n\n", "End"]),
    ]


def test_what_is_wrong_with_a_form_is_said_beside_it(factory: Factory, browse: Browse) -> None:
    prompt_set, model = factory.prompt_set(num_prompts=1), factory.model("Base")
    page, arm = browse(factory.dana()), {"model": model.pk}
    address = f"/prompt-sets/{prompt_set.pk}/sample/start/"
    twice = page.post(address, form_of(arm, arm))
    malformed = page.post(address, form_of({**arm, "temperature": "warm"}))
    empty = page.post(address, form_of())
    assert [answer.status_code for answer in (twice, malformed, empty)] == [422] * 3
    assert "Two arms are called" in twice.content.decode()
    assert "Enter a number." in malformed.content.decode()
    assert "at least one model" in empty.content.decode()
    assert not prompt_set.sampling_runs.exists()


def test_the_next_arm_has_the_next_number(factory: Factory, browse: Browse) -> None:
    prompt_set = factory.prompt_set(num_prompts=1)
    address = f"/prompt-sets/{prompt_set.pk}/sample/arm/?arm=0&arm=4&arm=x"
    response = browse(factory.dana(), htmx=True).get(address)
    assert 'name="arm5-model"' in response.content.decode()
    assert response["HX-Trigger-After-Settle"] == "arms-changed"


def test_the_form_says_what_it_comes_to(factory: Factory, browse: Browse) -> None:
    prompt_set = factory.prompt_set(num_prompts=40)
    cheap = factory.model(prompt_price=1, completion_price=2)
    sent = form_of({"model": cheap.pk}, {"model": cheap.pk, "num_completions": 3}, max_prompts=30)
    page = browse(factory.dana(), htmx=True)
    words = page.post(f"/prompt-sets/{prompt_set.pk}/sample/estimate/", sent).content.decode()
    incomplete = page.post(f"/prompt-sets/{prompt_set.pk}/sample/estimate/", sent | {"arm0-model": ""}).content.decode()
    assert "<strong>150</strong>" in words
    assert "<dd>9,600</dd>" in words
    assert "$0.02" in words
    assert "Fill in every field" in incomplete


def test_a_run_with_failures_says_so_and_can_be_tried_again(factory: Factory, browse: Browse) -> None:
    failure = factory.sampling_failure()
    address = f"/sampling-runs/{failure.run_id}/"
    page = browse(factory.dana()).get(address).content.decode()
    assert "Finished with 1 failure." in page
    assert "the prompt has 9999 tokens" in page
    assert "1 failed" in browse(factory.dana()).get(f"/prompt-sets/{failure.run.prompt_set_id}/").content.decode()
    assert browse(factory.charlie()).post(f"{address}retry/").status_code == 404
    assert browse(factory.dana()).post(f"{address}retry/").status_code == 302
    failure.run.refresh_from_db()
    assert failure.run.status == "queued"


def test_candidates_of_several_arms_stand_side_by_side_with_their_figures(factory: Factory, browse: Browse) -> None:
    run = factory.sampling_run(models=[factory.model("one"), factory.model("two")])
    run.arms.update(sampling_seconds=2.0, prompt_price=1, completion_price=5, system_prompt="Be brief.")
    run.completions.update(num_prompt_tokens=10, latency_ms=1500.0)
    page = browse(factory.dana()).get(f"/sampling-runs/{run.pk}/").content.decode()
    assert page.count("<h3>one</h3>") == page.count("<h3>two</h3>") == 3
    assert "1.5 s · 1.5 s" in page
    assert "Together" in page
    assert "$0.0002" in page
