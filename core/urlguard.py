"""Outbound addresses pass here first: resolved once, private ranges refused unless the operator allows them."""

import ipaddress
import socket
from dataclasses import dataclass
from urllib.parse import urlsplit

from django.conf import settings

from core.errors import ConcordError


class UrlRefused(ConcordError):
    """An outbound address is malformed, does not resolve, or points where Concord may not go."""

    title = "This address may not be called"


@dataclass(frozen=True, kw_only=True)
class GuardedUrl:
    """An address that may be called: the caller must connect to `ip` and send `host` as its name."""

    url: str
    host: str
    port: int
    ip: str


def check(url: str) -> GuardedUrl:
    """Resolve `url` once. Raises `UrlRefused` with the reason and the remedy."""
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise UrlRefused(f"{url!r} cannot be read: {error}.") from None
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise UrlRefused(f"{url!r} must start with http:// or https:// and name a host.")
    if parts.username or parts.password:
        raise UrlRefused("An address may not carry a user name or password; name an environment variable instead.")
    try:
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:
        raise UrlRefused(f"{url!r} has a port that is not a number from 1 to 65535.") from None
    ip = _resolve(parts.hostname, port)
    if not _is_public(ip) and not _is_allowed(parts.hostname, port):
        raise UrlRefused(
            f"{parts.hostname} resolves to {ip}, which is not a public address. If it is yours, "
            f"start Concord with ALLOWED_PRIVATE_HOSTS={parts.hostname}:{port}."
        )
    return GuardedUrl(url=url.rstrip("/"), host=parts.hostname, port=port, ip=ip)


def _resolve(host: str, port: int) -> str:
    try:
        addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (socket.gaierror, UnicodeError) as error:
        raise UrlRefused(f"{host!r} does not resolve: {error}.") from None
    return str(addresses[0][4][0])


def _is_public(ip: str) -> bool:
    address = ipaddress.ip_address(ip)
    return address.is_global and not address.is_multicast


def _is_allowed(host: str, port: int) -> bool:
    return bool({host, f"{host}:{port}"} & set(settings.ALLOWED_PRIVATE_HOSTS))
