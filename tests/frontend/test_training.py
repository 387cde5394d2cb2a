"""Training run pages."""

import pytest

from tests.factory import STARTED_AT, Factory
from tests.frontend.conftest import READERS_ONLY, Browse, Statuses


@pytest.mark.parametrize("ending", ["", "state/", "metrics/"])
def test_readers_alone_see_a_training_run(factory: Factory, statuses: Statuses, ending: str) -> None:
    run = factory.training_run()

    assert statuses(f"/training/{run.pk}/{ending}") == READERS_ONLY


def test_the_list_holds_what_one_may_read(factory: Factory, browse: Browse) -> None:
    factory.training_run("Reward run")

    assert "Reward run" in browse(factory.dana()).get("/training/").content.decode()
    assert "Reward run" not in browse(factory.charlie()).get("/training/").content.decode()


def test_the_page_shows_configuration_lineage_samples_and_checkpoint(factory: Factory, browse: Browse) -> None:
    run = factory.training_run(algorithm="ppo", config={"learning_rate": 3e-4})
    model = factory.model("published")
    run.checkpoints.update(language_model=model)

    page = browse(factory.alice()).get(f"/training/{run.pk}/").content.decode()

    assert "0.0003" in page
    assert f'href="/prompt-sets/{run.prompt_set_id}/"' in page
    assert f'href="/models/{run.init_model_id}/"' in page
    assert f'href="/models/{run.reward_model_id}/"' in page
    assert f'href="/models/{model.pk}/"' in page
    assert "What is 1 plus 1?" in page


def test_alerts_stand_above_everything_each_once_and_nothing_else_is_one(factory: Factory, browse: Browse) -> None:
    log = "10:00:00 Alert: Replies grew.\n10:00:05 Resumed.\n10:00:06 Alert: Replies grew.\nsomebody's Alert: library"
    run = factory.training_run(
        algorithm="ppo", log_tail=log, held_out_reward_model=factory.model("Judge", kind="reward")
    )

    page = browse(factory.alice()).get(f"/training/{run.pk}/").content.decode()

    assert page.count('<p class="notice bad" role="alert">Replies grew.</p>') == 1
    assert page.count('<p class="notice bad" role="alert">') == 1
    assert "<small>held-out judge</small>Judge" in page


def test_plotly_comes_from_here_and_only_plots_relax_styles(factory: Factory, browse: Browse) -> None:
    run = factory.training_run()
    client = browse(factory.alice())

    reply = client.get(f"/training/{run.pk}/")

    assert "/static/plotly/plotly.min.js" in reply.content.decode()
    policy = dict(part.strip().split(" ", 1) for part in reply["Content-Security-Policy"].split(";"))
    assert "'unsafe-inline'" in policy["style-src"]
    assert "unsafe" not in policy["script-src"]
    assert "unsafe" not in client.get("/training/")["Content-Security-Policy"]


def test_the_metrics_are_json_since_a_time(factory: Factory, browse: Browse) -> None:
    run = factory.training_run(num_steps=3, status="running")
    client = browse(factory.alice())

    everything = client.get(f"/training/{run.pk}/metrics/").json()
    news = client.get(f"/training/{run.pk}/metrics/", {"since": everything["latest"]}).json()

    assert [step for step, _ in everything["step"]["loss"]] == [1, 2, 3]
    assert [step for step, _ in news["step"]["loss"]] == [3]
    assert news["has_ended"] is False


@pytest.mark.parametrize("since", ["yesterday", "2026-13-45T00:00:00Z", ""])
def test_a_time_that_is_none_gives_everything(factory: Factory, browse: Browse, since: str) -> None:
    run = factory.training_run(num_steps=3)

    data = browse(factory.alice()).get(f"/training/{run.pk}/metrics/", {"since": since}).json()

    assert len(data["step"]["loss"]) == 3


def test_a_failure_says_why(factory: Factory, browse: Browse) -> None:
    run = factory.training_run(status="failed")

    page = browse(factory.alice()).get(f"/training/{run.pk}/").content.decode()

    assert "Data error." in page
    assert "Row 3 has no text." in page


def test_a_running_run_refreshes_itself_and_an_ended_one_rests(factory: Factory, browse: Browse) -> None:
    client = browse(factory.alice(), htmx=True)
    running, ended = factory.training_run(status="running"), factory.training_run()

    fragment = client.get(f"/training/{running.pk}/state/").content.decode()

    assert "every 2s" in fragment
    assert "5 of 10" in fragment
    assert "every 2s" not in client.get(f"/training/{ended.pk}/state/").content.decode()


def test_an_engineer_cancels_a_run(factory: Factory, browse: Browse) -> None:
    run = factory.training_run(status="running")
    client = browse(factory.dana())

    assert f"/training/{run.pk}/cancel/" in client.get(f"/training/{run.pk}/").content.decode()
    assert client.post(f"/training/{run.pk}/cancel/")["Location"] == f"/training/{run.pk}/"
    run.refresh_from_db()
    assert run.is_cancel_requested


def test_an_ended_run_has_no_cancel_button_and_refuses(factory: Factory, browse: Browse) -> None:
    run = factory.training_run(finished_at=STARTED_AT)
    client = browse(factory.alice())

    assert "/cancel/" not in client.get(f"/training/{run.pk}/").content.decode()
    assert client.post(f"/training/{run.pk}/cancel/").status_code == 409


def test_strangers_and_labelers_cancel_nothing(factory: Factory, browse: Browse) -> None:
    run = factory.training_run(status="running")

    for user in (factory.bob(), factory.charlie()):
        assert browse(user).post(f"/training/{run.pk}/cancel/").status_code == 404
    run.refresh_from_db()
    assert not run.is_cancel_requested


# Pausing and resuming


@pytest.mark.parametrize(
    ("status", "buttons"),
    [
        ("queued", {"pause", "cancel"}),
        ("running", {"pause", "cancel"}),
        ("paused", {"resume", "cancel"}),
        ("failed", {"resume"}),
        ("cancelled", {"resume"}),
        ("finished", set()),
    ],
)
def test_a_run_offers_what_can_become_of_it(factory: Factory, browse: Browse, status: str, buttons: set[str]) -> None:
    run = factory.training_run(status=status)
    for page in (f"/training/{run.pk}/", f"/training/{run.pk}/state/"):
        shown = browse(factory.dana()).get(page).content.decode()
        moves = {move for move in ("pause", "resume", "cancel") if f"/training/{run.pk}/{move}/" in shown}
        assert moves == buttons


def test_a_run_is_paused_and_resumed_by_its_buttons(factory: Factory, browse: Browse) -> None:
    run = factory.training_run(status="queued")
    client = browse(factory.dana())
    assert client.post(f"/training/{run.pk}/pause/")["Location"] == f"/training/{run.pk}/"
    run.refresh_from_db()
    assert run.status == "paused"
    assert "Paused" in client.get(f"/training/{run.pk}/").content.decode()
    assert client.post(f"/training/{run.pk}/pause/").status_code == 409
    assert client.post(f"/training/{run.pk}/resume/")["Location"] == f"/training/{run.pk}/"
    run.refresh_from_db()
    assert run.status == "queued"


def test_a_running_run_says_that_it_will_pause(factory: Factory, browse: Browse) -> None:
    run = factory.training_run(status="running")
    client = browse(factory.dana())
    client.post(f"/training/{run.pk}/pause/")
    shown = client.get(f"/training/{run.pk}/").content.decode()
    assert "saving after the current step, then it pauses" in shown
    assert f"/training/{run.pk}/pause/" not in shown


def test_strangers_and_labelers_pause_and_resume_nothing(factory: Factory, browse: Browse) -> None:
    run = factory.training_run(status="queued")
    for user in (factory.charlie(), factory.bob()):
        for move in ("pause", "resume"):
            assert browse(user).post(f"/training/{run.pk}/{move}/").status_code == 404
    run.refresh_from_db()
    assert run.status == "queued"
