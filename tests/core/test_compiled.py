"""Compiled queries give what the querysets give that they are made of."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from annotation.models import Annotator, Campaign, Enrolment, Slot
from core.compiled import CompiledQuery
from tests.factory import Factory

PLACE = CompiledQuery(
    lambda campaign, kind: Enrolment.objects.filter(campaign=campaign, annotator__kind=kind).select_related(
        "campaign", "annotator"
    ),
    campaign=-1,
    kind="a kind",
)


def test_rows_and_their_relatives_come_with_one_statement(factory: Factory) -> None:
    campaign = factory.campaign(gold_every=7)
    expected = Enrolment.objects.get(campaign=campaign)

    with CaptureQueriesContext(connection) as queries:
        found = PLACE.first(campaign=campaign.pk, kind=Annotator.Kind.PERSON)
        assert found is not None
        assert (found.campaign.gold_every, found.annotator.name) == (7, "bob")

    assert len(queries) == 1
    assert (found, found.campaign, found.annotator) == (expected, campaign, expected.annotator)
    assert found.campaign.question == campaign.question  # JSON comes as Python objects


def test_values_change_and_what_was_fixed_stays(factory: Factory) -> None:
    first, second = factory.campaign(num_comparisons=2), factory.campaign(num_comparisons=3)
    main = CompiledQuery(lambda campaign: Slot.objects.filter(campaign=campaign, purpose="main", number=0), campaign=-1)

    assert [len(main.all(campaign=one.pk)) for one in (first, second, first)] == [2, 3, 2]
    assert PLACE.first(campaign=first.pk, kind=Annotator.Kind.JUDGE) is None


def test_objects_can_be_saved_as_any_other(factory: Factory) -> None:
    campaign = factory.campaign()
    found = PLACE.first(campaign=campaign.pk, kind=Annotator.Kind.PERSON)
    assert found is not None
    found.campaign.status = Campaign.Status.PAUSED
    found.campaign.save()

    campaign.refresh_from_db()
    assert campaign.status == Campaign.Status.PAUSED


@pytest.mark.django_db(transaction=True)
def test_a_kept_connection_is_used_until_the_server_has_ended_it() -> None:
    connection.ensure_connection()
    with CaptureQueriesContext(connection) as queries:
        assert connection.is_usable()
    assert len(queries) == 0

    other = connection.copy()
    try:
        with other.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [connection.connection.info.backend_pid])
        assert not connection.is_usable()
    finally:
        other.close()
        connection.close()
    assert not connection.is_usable()
