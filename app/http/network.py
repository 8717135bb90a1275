"""Where a request comes from, and whom it asks."""

from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import Scope

from app.core.config import parse_hosts, parse_networks, settings

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_hosts = parse_hosts(settings.ALLOWED_HOSTS)
_trusted = parse_networks(settings.TRUSTED_PROXIES)
_CUSTOMER_PREFIX = 64  # providers give a customer a whole /64 of IPv6: one address is no limit


def network_of(scope: Scope, headers: Headers) -> str | None:
    """The caller's IPv4 address or IPv6 /64; None when the server does not know the peer.

    Each proxy adds the address that it saw to the right of X-Forwarded-For. What stands left of
    the first address that is not a trusted proxy was written by the caller, and can be anything.
    """
    peer = (scope.get("client") or ("",))[0]
    forwarded = headers.getlist("x-forwarded-for") if _trusted else ()
    return _network(peer, ",".join(forwarded), tuple(_trusted))


@lru_cache(maxsize=10_000)  # the same few networks again and again: parsing takes 10 us
def _network(peer: str, forwarded: str, trusted: tuple[Network, ...]) -> str | None:
    address = _parse(peer)
    hops = [hop.strip() for hop in forwarded.split(",")] if forwarded else []
    while address is not None and hops and any(address in network for network in trusted):
        hop = _parse(hops.pop())
        if hop is None:
            break
        address = hop
    if isinstance(address, IPv6Address):
        return str(IPv6Network((address, _CUSTOMER_PREFIX), strict=False))
    return None if address is None else str(address)


def is_allowed_host(scope: Scope, headers: Headers) -> bool:
    """Whether Host is one of ALLOWED_HOSTS; a probe of `/livez` may know only an address."""
    if "*" in _hosts or not scope["path"].startswith("/api/"):
        return True
    return _is_ours(headers.get("host", ""))


@lru_cache(maxsize=1_000)
def _is_ours(host: str) -> bool:
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:  # "[": half an IPv6 address
        return False
    return name in _hosts or f"*.{name.partition('.')[2]}" in _hosts


def _parse(text: str) -> Address | None:
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
