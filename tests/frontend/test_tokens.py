"""The API tokens page."""

import re
from datetime import timedelta

from django.utils import timezone
from knox.models import AuthToken
from rest_framework.test import APIClient

from accounts.services import issue_token
from tests.factory import Factory
from tests.frontend.conftest import Browse


def test_a_new_token_is_shown_once_and_works(factory: Factory, browse: Browse) -> None:
    client = browse(factory.alice())

    page = client.post("/tokens/create/", {"days": 30}).content.decode()

    token = re.findall(r"concord_\w+", re.findall(r'<pre class="secret"[^>]*>([^<]+)', page)[0])[0]
    assert token not in client.get("/tokens/").content.decode()
    reply = APIClient(headers={"Authorization": f"Token {token}"}).get("/api/v1/campaigns")
    assert reply.status_code == 200


def test_a_new_token_expires_when_asked(factory: Factory, browse: Browse) -> None:
    browse(factory.alice()).post("/tokens/create/", {"days": 30})

    left = AuthToken.objects.get().expiry - timezone.now()
    assert timedelta(days=29) < left <= timedelta(days=30)


def test_impossible_lifetimes_are_refused(factory: Factory, browse: Browse) -> None:
    client = browse(factory.alice())

    for days in ("0", "366", "many", ""):
        assert client.post("/tokens/create/", {"days": days}).status_code == 422
    assert not AuthToken.objects.exists()


def test_a_page_with_a_token_is_not_kept_by_the_browser(factory: Factory, browse: Browse) -> None:
    reply = browse(factory.alice()).post("/tokens/create/", {"days": 1})

    assert "no-store" in reply["Cache-Control"]


def test_ones_own_tokens_can_be_revoked_and_nobody_elses(factory: Factory, browse: Browse) -> None:
    issue_token(user=factory.alice())
    url = f"/tokens/{AuthToken.objects.get().digest}/revoke/"

    assert browse(factory.bob()).post(url).status_code == 404
    assert AuthToken.objects.count() == 1
    assert browse(factory.alice()).post(url)["Location"] == "/tokens/"
    assert not AuthToken.objects.exists()


def test_one_sees_ones_own_tokens_only(factory: Factory, browse: Browse) -> None:
    issue_token(user=factory.alice())
    key = AuthToken.objects.get().token_key

    assert key in browse(factory.alice()).get("/tokens/").content.decode()
    assert key not in browse(factory.bob()).get("/tokens/").content.decode()
    assert browse().get("/tokens/").status_code == 302
