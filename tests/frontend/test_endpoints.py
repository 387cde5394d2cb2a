"""The health of a served model's endpoint, on the model's page."""

from __future__ import annotations

from django.conf import LazySettings

from tests.factory import Factory
from tests.frontend.conftest import Browse
from tests.generation.engines.chat_server import Reply, chat_server

LISTING = Reply(body={"data": [{"id": "tiny"}, {"id": "polite"}]})


def test_the_page_shows_it_and_asks_at_a_wish(factory: Factory, browse: Browse, settings: LazySettings) -> None:
    settings.ALLOWED_PRIVATE_HOSTS = ("127.0.0.1",)
    model = factory.model(source="served", location="other", endpoint_url="http://127.0.0.1:1")
    dana, address = browse(factory.dana()), f"/models/{model.pk}/"
    assert "has not been asked yet" in dana.get(address).content.decode()
    with chat_server(lambda path, body: LISTING) as server:
        model.endpoint_url = server.url
        model.save(update_fields=["endpoint_url"])
        assert dana.post(f"{address}check/")["Location"] == address
    page = dana.get(address).content.decode()
    assert "It does not serve &#x27;other&#x27;; it serves tiny, polite." in page
    assert "<code>polite</code>" in page
    assert "Check now" in page
    assert browse(factory.bob()).post(f"{address}check/").status_code == 404
