"""Outbound addresses pass here first: resolved once, private ranges refused unless the operator allows them.

`check` answers with a GuardedUrl, and `outbound.PinnedTransport` connects to the addresses that were checked and to no
other: a name that resolves differently a moment later leads nowhere else.
"""

import ipaddress
import socket
from dataclasses import dataclass
from urllib.parse import urlsplit

from django.conf import settings

from core import managed_addresses
from core.errors import ConcordError

_NAT64 = ipaddress.ip_network("64:ff9b::/96")  # IPv4 in the clothes of IPv6 (RFC 6052)


class UrlRefused(ConcordError):
    """An outbound address is malformed, does not resolve, or points where Concord may not go."""

    title = "This address may not be called"


@dataclass(frozen=True, kw_only=True)
class GuardedUrl:
    """An address that may be called: the caller connects to one of `ips` and sends `host` as its name."""

    url: str
    scheme: str
    host: str
    port: int
    ips: tuple[str, ...]  # in the order in which to try them; every one was checked

    @property
    def ip(self) -> str:
        """The first one to try."""
        return self.ips[0]


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
    ips = _resolve(parts.hostname, port)
    private = [ip for ip in ips if not _is_public(ip)]
    if private and not _is_allowed(parts.hostname, port):
        raise UrlRefused(
            f"{parts.hostname} resolves to {private[0]}, which is not a public address. If it is yours, "
            f"start Concord with ALLOWED_PRIVATE_HOSTS={parts.hostname}:{port}."
        )
    return GuardedUrl(url=url.rstrip("/"), scheme=parts.scheme, host=parts.hostname, port=port, ips=ips)


def _resolve(host: str, port: int) -> tuple[str, ...]:
    try:
        addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (socket.gaierror, UnicodeError) as error:
        raise UrlRefused(f"{host!r} does not resolve: {error}.") from None
    return tuple(dict.fromkeys(str(address[4][0]) for address in addresses))


def _is_public(ip: str) -> bool:
    address = ipaddress.ip_address(ip)
    inner = _inner_ipv4(address) if isinstance(address, ipaddress.IPv6Address) else None
    if inner is not None and not _is_public(str(inner)):
        return False
    return address.is_global and not address.is_multicast


def _inner_ipv4(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """The IPv4 address that a gateway would call for this one."""
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)


def _is_allowed(host: str, port: int) -> bool:
    allowed = {*settings.ALLOWED_PRIVATE_HOSTS, *managed_addresses.current(settings.VAR_DIR)}
    return bool({host, f"{host}:{port}"} & allowed)
