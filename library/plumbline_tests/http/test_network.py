"""Whom a request asks, and where it comes from."""

import pytest
from starlette.datastructures import Headers

from plumbline.http.client_ip import ClientNetworks
from plumbline.http.request_context import AllowedHosts, last_hops
from plumbline.setting_values import parse_networks

PROXIES = parse_networks("10.0.0.0/8,fd00::/8")


def _come_from(peer: str, *forwarded: str) -> str | None:
    headers = Headers(raw=[(b"x-forwarded-for", line.encode()) for line in forwarded])
    return ClientNetworks(PROXIES).find(peer, last_hops(headers))


@pytest.mark.parametrize(
    ("forwarded", "expected"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("192.0.2.1:1234", "192.0.2.1"),
        ("2001:db8:1:2::3", "2001:db8:1:2::/64"),
        ("[2001:db8:1:2::3]", "2001:db8:1:2::/64"),
        ("[2001:db8:1:2::3]:80", "2001:db8:1:2::/64"),
        ("[::ffff:192.0.2.1]:80", "192.0.2.1"),
        ("198.51.100.1, 192.0.2.1:1, 10.0.0.2:80,[fd00::1]:443", "192.0.2.1"),
        ("unknown, 10.0.0.2", "10.0.0.2"),
        ("192.0.2.1:", "10.0.0.1"),
        ("192.0.2.1:x", "10.0.0.1"),
        ("[2001:db8::1", "10.0.0.1"),
        ("[2001:db8::1]x", "10.0.0.1"),
        ("192.0.2.1:1:2", "10.0.0.1"),
        ("192.0.2.1, " + "x" * 30_000, "10.0.0.1"),
        ("x" * 30_000 + ", 192.0.2.1:1", "192.0.2.1"),
    ],
)
def test_hop_may_carry_a_port(forwarded: str, expected: str) -> None:
    assert _come_from("10.0.0.1", forwarded) == expected


def test_zone_of_an_address_is_not_part_of_its_network() -> None:
    assert _come_from("fe80::1%eth0") == "fe80::/64"


OURS = {"api.example.com", "*.example.org", "::1"}


@pytest.mark.parametrize(
    "host",
    ["api.example.com", "API.Example.com:8000", "api.example.com:", "a.example.org:1", "[::1]:80"],
)
def test_host_is_a_name_and_perhaps_a_port(host: str) -> None:
    assert _is_answered(host)


@pytest.mark.parametrize(
    "host",
    [
        "evil@api.example.com",
        "evil:pw@api.example.com",
        "api.example.com/path",
        "api.example.com?query",
        "api.example.com#fragment",
        "api.example.com\\@evil.example",
        "api.example.com:80:80",
        "api.example.com:x",
        "api.example.com.",
        "api .example.com",
        "api.example.com,evil.example",
        "a.b.example.org",
        ".example.org",
        "*.example.org",
        "[::1]evil",
        "[::1",
        "::1",
        "api.example.com:" + "0" * 300,
        "a" * 30_000 + ".example.org",
    ],
)
def test_host_is_matched_whole(host: str) -> None:
    assert not _is_answered(host)


def _is_answered(host: str) -> bool:
    return AllowedHosts(OURS).allow("/books", host)
