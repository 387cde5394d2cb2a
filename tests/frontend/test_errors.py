"""Error pages in the look of the rest."""

import pytest
from django.core.exceptions import PermissionDenied
from django.test import Client, RequestFactory
from django.urls import reverse
from django.views.defaults import permission_denied, server_error

from frontend.urls import urlpatterns
from tests.factory import Factory
from tests.frontend.conftest import Browse


def test_an_unknown_address_is_a_page(factory: Factory, browse: Browse) -> None:
    reply = browse(factory.alice()).get("/nowhere/")

    assert reply.status_code == 404
    assert "There is nothing here" in reply.content.decode()
    assert "frontend/base.css" in reply.content.decode()


def test_htmx_gets_the_words_alone(factory: Factory, browse: Browse) -> None:
    reply = browse(factory.alice(), htmx=True).get("/campaigns/999999/progress/")

    assert reply.status_code == 404
    assert "There is nothing here" in reply.content.decode()
    assert "<html" not in reply.content.decode()


def test_a_failure_of_ours_is_a_page_that_needs_no_database() -> None:
    reply = server_error(RequestFactory().get("/"))

    assert reply.status_code == 500
    assert "Something broke on our side" in reply.content.decode()


def test_a_refusal_is_a_page(factory: Factory) -> None:
    request = RequestFactory().get("/")
    request.user = factory.bob()

    reply = permission_denied(request, PermissionDenied("Managers only."))

    assert reply.status_code == 403
    assert "Managers only." in reply.content.decode()


def test_a_form_without_its_token_is_refused_with_words(factory: Factory) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(factory.alice())

    reply = client.post("/tokens/create/", {"days": 1})

    assert reply.status_code == 403
    assert "The form was not accepted" in reply.content.decode()


def addresses() -> list[str]:
    """Every page but the sign-in, with some number or digest in its place."""
    patterns = [leaf for one in urlpatterns for leaf in getattr(one, "url_patterns", [one])]
    names = {str(pattern.name): pattern.pattern.converters for pattern in patterns if pattern.name != "sign-in"}
    return [reverse(name, kwargs=dict.fromkeys(converters, 1)) for name, converters in names.items()]


@pytest.mark.parametrize("url", addresses())
def test_every_page_takes_one_method_and_sends_nobody_to_sign_in(db: None, url: str) -> None:
    replies = {method: Client().generic(method, url) for method in ("GET", "POST", "PUT")}

    assert sorted(reply.status_code for reply in replies.values()) == [302, 405, 405]
    assert all("/sign-in/" in reply["Location"] for reply in replies.values() if reply.status_code == 302)
