"""The first page."""

from django.utils import timezone

from frontend.labeling import campaigns_of
from tests.factory import Factory
from tests.frontend.conftest import Browse, Statuses


def test_everybody_signed_in_has_a_first_page(statuses: Statuses) -> None:
    assert statuses("/") == {"alice": 200, "dana": 200, "bob": 200, "charlie": 200, "nobody": 302}


def test_a_manager_sees_the_workspace(factory: Factory, browse: Browse) -> None:
    names = [
        factory.campaign("Round two").name,
        factory.pipeline("First pipeline").name,
        factory.dataset("Pairs of May").name,
        factory.training_run("Reward run").name,
        factory.evaluation("Win rate of May").name,
        factory.prompt_set("Everyday prompts").name,
    ]

    page = browse(factory.alice()).get("/").content.decode()

    assert [name for name in names if name not in page] == []


def test_a_stranger_sees_nothing_of_it(factory: Factory, browse: Browse) -> None:
    factory.campaign("Round two")
    factory.training_run("Reward run")

    page = browse(factory.charlie()).get("/").content.decode()

    assert "Round two" not in page
    assert "Reward run" not in page


def test_a_labeler_sees_the_tasks_that_wait_and_no_management(factory: Factory, browse: Browse) -> None:
    campaign = factory.campaign("Round two", num_comparisons=3)
    factory.judgment(campaign.slots.earliest("pk"))
    factory.campaign("Of others", annotators=[], num_comparisons=1)
    factory.training_run("Reward run")

    page = browse(factory.bob()).get("/").content.decode()

    assert "Round two" in page
    assert "a few waiting" in page
    assert [line.num_waiting for line in campaigns_of(factory.bob(), now=timezone.now())] == [2]
    assert "1 done by you" in page
    assert f'href="/label/{campaign.pk}/"' in page
    assert "Of others" not in page
    assert "Reward run" not in page
    assert 'href="/training/"' not in page


def test_what_somebody_else_holds_is_not_waiting(factory: Factory, browse: Browse) -> None:
    campaign = factory.campaign(num_comparisons=2)
    slot = campaign.slots.earliest("pk")
    factory.leased_slot(campaign, factory.judge())
    factory.judgment(slot, factory.judge())

    assert "a few waiting" in browse(factory.bob()).get("/").content.decode()
    assert [line.num_waiting for line in campaigns_of(factory.bob(), now=timezone.now())] == [1]


def test_many_tasks_are_told_in_tens(factory: Factory, browse: Browse) -> None:
    factory.campaign(num_comparisons=17)

    assert "about 20 waiting" in browse(factory.bob()).get("/").content.decode()


def test_a_paused_labeler_is_told_why(factory: Factory, browse: Browse) -> None:
    campaign = factory.campaign(num_comparisons=1)
    campaign.enrolments.update(is_active=False, pause_reason="please ask Alice")

    page = browse(factory.bob()).get("/").content.decode()

    assert "Please ask Alice." in page
    assert "waiting" not in page


def test_drafts_are_not_offered(factory: Factory, browse: Browse) -> None:
    factory.campaign("In preparation", status="draft", num_comparisons=1)

    page = browse(factory.bob()).get("/").content.decode()

    assert "In preparation" not in page
    assert "not enrolled in any campaign" in page
