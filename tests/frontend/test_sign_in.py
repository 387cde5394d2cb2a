"""Signing in and out."""

from tests.factory import PASSWORD, Factory
from tests.frontend.conftest import Browse


def test_the_right_password_leads_to_the_page_that_was_asked_for(factory: Factory, browse: Browse) -> None:
    factory.alice()
    client = browse()

    asked = client.get("/campaigns/")
    reply = client.post(asked["Location"], {"username": "alice", "password": PASSWORD, "next": "/campaigns/"})

    assert asked["Location"] == "/sign-in/?next=/campaigns/"
    assert reply["Location"] == "/campaigns/"


def test_a_wrong_password_is_refused_with_words(factory: Factory, browse: Browse) -> None:
    factory.alice()

    reply = browse().post("/sign-in/", {"username": "alice", "password": "wrong"})

    assert "enter a correct username and password" in reply.content.decode()


def test_a_next_address_elsewhere_is_ignored(factory: Factory, browse: Browse) -> None:
    factory.alice()

    reply = browse().post("/sign-in/", {"username": "alice", "password": PASSWORD, "next": "https://e.org/"})

    assert reply["Location"] == "/"


def test_signing_out_takes_a_post(factory: Factory, browse: Browse) -> None:
    client = browse(factory.alice())

    assert client.get("/sign-out/").status_code == 405
    assert client.post("/sign-out/")["Location"] == "/sign-in/"
    assert client.get("/").status_code == 302


def test_a_fragment_asked_for_by_nobody_sends_the_whole_page_to_sign_in(browse: Browse) -> None:
    reply = browse(htmx=True).get("/campaigns/1/progress/")

    assert reply["HX-Redirect"] == "/sign-in/"
