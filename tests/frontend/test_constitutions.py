"""Pages of constitutions and revision runs."""

from __future__ import annotations

from annotation.models import Comparison
from generation.models import Constitution, RevisionRun
from tests.factory import Factory
from tests.frontend.conftest import READERS_ONLY, Browse, Statuses

WRITTEN = {"principle": ["Kind", ""], "critique": ["Was <b>that</b> kind?", " "], "revision": ["Say it kindly.", ""]}


def test_readers_read_and_managers_write(factory: Factory, statuses: Statuses) -> None:
    constitution = factory.constitution()
    assert statuses("/constitutions/") == {**READERS_ONLY, "charlie": 200}
    assert statuses(f"/constitutions/{constitution.pk}/") == READERS_ONLY
    writers = {"alice": 200, "dana": 404, "bob": 404, "charlie": 200, "nobody": 302}
    assert statuses("/constitutions/new/") == writers


def test_a_constitution_is_written_and_rewritten(factory: Factory, browse: Browse) -> None:
    alice = browse(factory.alice())
    body = {"workspace": factory.workspace().pk, "name": "Ours", **WRITTEN}
    assert alice.post("/constitutions/create/", body).status_code == 302
    constitution = Constitution.objects.get()
    address = f"/constitutions/{constitution.pk}/"
    assert "Was &lt;b&gt;that&lt;/b&gt; kind?" in alice.get(address).content.decode()
    assert alice.post(f"{address}change/", {**WRITTEN, "revision": ["Kindly!", ""]}).status_code == 302
    assert [len(version.principles) for version in constitution.versions.all()] == [1, 1]
    assert "Say it kindly." in alice.get(f"{address}?version=1").content.decode()
    assert browse(factory.dana()).post(f"{address}change/", WRITTEN).status_code == 403


def test_what_cannot_be_kept_is_told_and_not_lost(factory: Factory, browse: Browse) -> None:
    alice = browse(factory.alice())
    body = {"workspace": factory.workspace().pk, "name": "Ours", **WRITTEN, "revision": ["", ""]}
    response = alice.post("/constitutions/create/", body)
    assert response.status_code == 422
    assert "the revision of principle 1" in response.content.decode()
    assert "Was &lt;b&gt;that&lt;/b&gt; kind?" in response.content.decode()
    assert alice.post("/constitutions/create/", {**body, **WRITTEN, "name": ""}).status_code == 422
    constitution = factory.constitution()
    assert alice.post(f"/constitutions/{constitution.pk}/change/", {"principle": ["x"]}).status_code == 422


def test_engineers_start_a_run(factory: Factory, browse: Browse) -> None:
    constitution, sampling_run, model = factory.constitution(), factory.sampling_run(), factory.model()
    address = f"/constitutions/{constitution.pk}/revise/"
    body = {"name": "Try", "sampling_run": sampling_run.pk, "model": model.pk, "num_per_prompt": 2}
    dana = browse(factory.dana())
    assert dana.post(address, {**body, "num_per_prompt": 0}).status_code == 422
    assert dana.post(address, body).status_code == 302
    run = RevisionRun.objects.get()
    assert (run.version.constitution, run.num_per_prompt, run.num_principles) == (constitution, 2, None)
    assert browse(factory.bob()).post(address, body).status_code == 404


def test_a_run_shows_critiques_and_revisions(factory: Factory, browse: Browse, statuses: Statuses) -> None:
    run = factory.revision_run()
    address = f"/revision-runs/{run.pk}/"
    assert statuses(address) == READERS_ONLY
    page = browse(factory.dana()).get(address).content.decode()
    assert "It lied." in page
    assert "A better one." in page
    assert "Add comparisons" not in page
    assert "<html" not in browse(factory.dana(), htmx=True).get(address).content.decode()


def test_managers_add_comparisons_to_a_campaign(factory: Factory, browse: Browse) -> None:
    run, campaign = factory.revision_run(), factory.campaign()
    address = f"/revision-runs/{run.pk}/compare/"
    assert "Add comparisons" in browse(factory.alice()).get(f"/revision-runs/{run.pk}/").content.decode()
    assert browse(factory.dana()).post(address, {"campaign": campaign.pk}).status_code == 403
    assert browse(factory.alice()).post(address, {"campaign": "x"}).status_code == 404
    assert browse(factory.alice()).post(address, {"campaign": campaign.pk}).status_code == 302
    assert Comparison.objects.filter(campaign=campaign).count() == 1


def test_a_run_is_cancelled(factory: Factory, browse: Browse) -> None:
    run = factory.revision_run(status="running")
    assert browse(factory.dana()).post(f"/revision-runs/{run.pk}/cancel/").status_code == 302
    run.refresh_from_db()
    assert run.is_cancel_requested
