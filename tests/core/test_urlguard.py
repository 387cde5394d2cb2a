"""The outbound guard: what may be called, and what the refusal says."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from core import urlguard
from core.urlguard import UrlRefused


@pytest.fixture
def resolve(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Names and their addresses; other names do not resolve."""
    known: dict[str, str] = {}

    def getaddrinfo(host: str, port: int, **_: Any) -> list[Any]:
        if host not in known:
            raise socket.gaierror("Name or service not known")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, port)) for ip in known[host].split()]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return known


def test_a_public_address_passes_with_the_ip_that_it_resolved_to(resolve: dict[str, str]) -> None:
    resolve["models.example.org"] = "93.184.216.34"

    guarded = urlguard.check("https://models.example.org/v1/")

    assert (guarded.url, guarded.host, guarded.port) == ("https://models.example.org/v1", "models.example.org", 443)
    assert guarded.ip == "93.184.216.34"


@pytest.mark.parametrize(
    "ip",
    ["127.0.0.1", "10.0.0.7", "192.168.1.1", "169.254.169.254", "0.0.0.0", "224.0.0.1", "::1", "fd00::1", "100.64.0.1"],  # noqa: S104 -- refused here
)
def test_a_name_for_a_private_address_is_refused_with_the_remedy(resolve: dict[str, str], ip: str) -> None:
    resolve["innocent.example.org"] = ip

    with pytest.raises(UrlRefused, match=r"ALLOWED_PRIVATE_HOSTS=innocent\.example\.org:8000"):
        urlguard.check("http://innocent.example.org:8000/v1")


@pytest.mark.parametrize(
    "ip",
    [
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "::ffff:10.0.0.1",
        "64:ff9b::127.0.0.1",  # NAT64
        "64:ff9b::a9fe:a9fe",
        "2002:7f00:1::",  # 6to4
        "2002:a00:1::1",
    ],
)
def test_a_private_address_in_the_clothes_of_ipv6_is_refused(resolve: dict[str, str], ip: str) -> None:
    resolve["innocent.example.org"] = ip

    with pytest.raises(UrlRefused):
        urlguard.check("http://innocent.example.org/")


def test_one_private_address_among_public_ones_is_refused(resolve: dict[str, str]) -> None:
    resolve["innocent.example.org"] = "93.184.216.34 10.0.0.7"

    with pytest.raises(UrlRefused, match=r"resolves to 10\.0\.0\.7"):
        urlguard.check("http://innocent.example.org/")


def test_every_public_address_is_kept_in_order(resolve: dict[str, str]) -> None:
    resolve["models.example.org"] = "2606:2800:220:1::1 93.184.216.34 93.184.216.34"

    assert urlguard.check("https://models.example.org/").ips == ("2606:2800:220:1::1", "93.184.216.34")


@pytest.mark.parametrize("number", ["2130706433", "0x7f000001", "017700000001", "127.1"])
def test_loopback_written_as_a_number_is_refused(number: str) -> None:
    with pytest.raises(UrlRefused, match=r"127\.0\.0\.1, which is not a public address"):
        urlguard.check(f"http://{number}/")


@pytest.mark.parametrize("allowed", ["gpu.internal", "gpu.internal:8000"])
def test_an_operator_can_allow_a_private_host(resolve: dict[str, str], settings: Any, allowed: str) -> None:
    resolve["gpu.internal"] = "10.0.0.7"
    settings.ALLOWED_PRIVATE_HOSTS = (allowed,)

    assert urlguard.check("http://gpu.internal:8000/v1").ip == "10.0.0.7"


def test_allowing_one_port_allows_no_other(resolve: dict[str, str], settings: Any) -> None:
    resolve["gpu.internal"] = "10.0.0.7"
    settings.ALLOWED_PRIVATE_HOSTS = ("gpu.internal:8000",)

    with pytest.raises(UrlRefused):
        urlguard.check("http://gpu.internal:5432/")


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("ftp://example.org/", "http"),
        ("file:///etc/passwd", "http"),
        ("example.org", "http"),
        ("", "http"),
        ("http://", "name a host"),
        ("http://user:secret@example.org/", "user name or password"),
        ("http://example.org:99999/", "port"),
        ("http://nowhere.invalid/", "does not resolve"),
        ("http://[::1", "cannot be read"),
    ],
)
def test_a_malformed_address_is_refused_with_its_reason(resolve: dict[str, str], url: str, reason: str) -> None:
    with pytest.raises(UrlRefused, match=reason):
        urlguard.check(url)
