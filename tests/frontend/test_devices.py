"""Who holds what heavy jobs compute on."""

from __future__ import annotations

from datetime import timedelta

from django.utils import timezone

from tests.factory import Factory
from tests.frontend.conftest import Browse


def test_a_manager_sees_who_holds_a_device_and_who_waits(factory: Factory, browse: Browse) -> None:
    holder, waiter = factory.training_run(status="running"), factory.sampling_run(status="running")
    factory.device_wait(waiter, [factory.device(holder)])
    page = browse(factory.alice()).get("/devices/").content.decode()
    assert f'<a href="/training/{holder.pk}/">Training run {holder.pk}</a>' in page
    assert f'<a href="/sampling-runs/{waiter.pk}/">Sampling run {waiter.pk}</a>' in page


def test_runs_of_other_workspaces_are_no_links_and_labelers_see_no_devices(factory: Factory, browse: Browse) -> None:
    holder = factory.training_run(status="running")
    factory.device(holder)
    page = browse(factory.charlie()).get("/devices/").content.decode()
    assert f"Training run {holder.pk}" in page
    assert f"/training/{holder.pk}/" not in page
    assert browse(factory.bob()).get("/devices/").status_code == 404


def test_htmx_gets_the_tables_alone_and_an_expired_lease_says_so(factory: Factory, browse: Browse) -> None:
    device = factory.device(factory.training_run(status="running"))
    device.leased_until = timezone.now() - timedelta(seconds=1)
    device.save(update_fields=["leased_until"])
    reply = browse(factory.alice(), htmx=True).get("/devices/").content.decode()
    assert "expired" in reply
    assert "<html" not in reply


def test_a_run_that_waits_says_so_on_its_page_and_over_rest(factory: Factory, browse: Browse) -> None:
    holder, waiter = factory.training_run(status="running"), factory.training_run(status="running")
    factory.device_wait(waiter, [factory.device(holder)])
    words = f"waits for a device: CPU slot 0 of host is held by training run {holder.pk} until"
    assert words in browse(factory.alice()).get(f"/training/{waiter.pk}/").content.decode()
    assert words not in browse(factory.alice()).get(f"/training/{holder.pk}/").content.decode()
    listed = browse(factory.alice()).get("/api/v1/training-runs").json()["results"]
    assert {row["id"]: row["waits_for"][: len(words)] for row in listed} == {waiter.pk: words, holder.pk: ""}
