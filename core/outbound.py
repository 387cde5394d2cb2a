"""Connections that go where the outbound guard has looked, and API keys that go only where the operator sends them."""

import os
from collections.abc import Callable

import httpx
from django.conf import settings

from core.errors import ConcordError
from core.urlguard import GuardedUrl, UrlRefused


class ApiKeyMissing(ConcordError):
    """The environment variable that should hold an endpoint's key is empty, or holds what no header can carry."""

    status = 409
    title = "An API key is missing"


class PinnedTransport(httpx.BaseTransport):
    """Connects to the addresses of one GuardedUrl, whatever its name resolves to by now.

    The name still goes out as Host header and in TLS, where the certificate must be for it. Many threads may use one.
    """

    def __init__(self, guarded: GuardedUrl, *, connections: int = 1, inner: httpx.BaseTransport | None = None) -> None:
        self._guarded = guarded
        self._ips = guarded.ips
        limits = httpx.Limits(max_connections=connections, max_keepalive_connections=connections)
        self._inner = inner or httpx.HTTPTransport(verify=httpx.create_ssl_context(), limits=limits)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Try the checked addresses in turn. Raises `UrlRefused` for any other host, port or scheme."""
        self._check(request.url)
        ips = self._ips  # other threads may put theirs in its place meanwhile
        for ip in ips:
            try:
                response = self._inner.handle_request(self._pinned(request, ip))
            except (httpx.ConnectError, httpx.ConnectTimeout):
                if ip == ips[-1]:
                    raise
                continue
            self._ips = (ip, *(other for other in ips if other != ip))  # the one that answers comes first from now on
            return response
        raise UrlRefused(f"{self._guarded.host} has no address.")

    def close(self) -> None:
        """Close the connections."""
        self._inner.close()

    def _check(self, url: httpx.URL) -> None:
        port = url.port or (443 if url.scheme == "https" else 80)
        if (url.scheme, url.host, port) != (self._guarded.scheme, self._guarded.host, self._guarded.port):
            raise UrlRefused(f"{url.scheme}://{url.host}:{port} is not the address that was checked.")

    def _pinned(self, request: httpx.Request, ip: str) -> httpx.Request:
        return httpx.Request(
            request.method,
            request.url.copy_with(host=ip),
            headers=request.headers,  # the Host header names the host, not the address
            stream=request.stream,
            extensions={**request.extensions, "sni_hostname": request.url.raw_host.decode("ascii")},
        )


def api_key_of(guarded: GuardedUrl) -> Callable[[], str | None]:
    """A function that reads the endpoint's key from the environment each time; it returns None for keyless endpoints.

    Which variable is sent to which host is the operator's to say (ENDPOINT_API_KEYS), never that of whoever types in
    an address. Raises `ApiKeyMissing` at once and later if the variable does not hold a key.
    """
    variable = key_variable(guarded)
    if variable is None:
        return lambda: None

    def read() -> str:
        key = os.environ.get(variable, "").strip()
        if not key or not key.isascii() or not key.isprintable():
            said = "is empty" if not key else "holds characters that no HTTP header can carry"
            raise ApiKeyMissing(f"{guarded.host} wants a key, and the environment variable {variable} {said}.")
        return key

    read()
    return read


def key_variable(guarded: GuardedUrl) -> str | None:
    """The name of the environment variable with this endpoint's key, None if it has none. Never the key itself."""
    known = settings.ENDPOINT_API_KEYS
    return known.get(f"{guarded.host}:{guarded.port}") or known.get(guarded.host)
