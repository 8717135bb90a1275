"""Where a request comes from, and whom it asks.

What callers send is kept only where it is short: a cache of long headers is memory that anybody
can fill, and that is never given back.
"""

import re
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

from starlette.datastructures import Headers
from starlette.types import Scope

from app.core.config import settings
from plumbline.setting_values import parse_hosts, parse_networks

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_hosts = parse_hosts(settings.ALLOWED_HOSTS)
_trusted = parse_networks(settings.TRUSTED_PROXIES)
_CUSTOMER_PREFIX = 64  # providers give a customer a whole /64 of IPv6: one address is no limit
_LONGEST_KEY = 260  # of a cache, in characters: a host name has 253 at most, a port five more

# RFC 3986, 3.2.2: a name or an address in brackets, then perhaps a port, and nothing else.
_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9_-]+(?:\.[a-z0-9_-]+)*)(?::[0-9]{0,5})?", re.ASCII)
# Proxies write an address with or without its port: 192.0.2.1:4711, [2001:db8::1]:4711.
_HOP = re.compile(r"\[([0-9A-Fa-f:.]{2,45})\](?::[0-9]{1,5})?|([0-9.]{7,15}):[0-9]{1,5}", re.ASCII)


def network_of(scope: Scope, headers: Headers) -> str | None:
    """The caller's IPv4 address or IPv6 /64; None when the server does not know the peer.

    Each proxy adds the address that it saw to the right of X-Forwarded-For. What stands left of
    the first address that is not a trusted proxy was written by the caller, and can be anything.
    """
    peer = (scope.get("client") or ("",))[0]
    forwarded = ",".join(headers.getlist("x-forwarded-for")) if _trusted else ""
    find = _network if len(forwarded) <= _LONGEST_KEY else _network.__wrapped__
    return find(peer, forwarded, tuple(_trusted))


@lru_cache(maxsize=2_000)  # the same few networks again and again: parsing takes 10 us
def _network(peer: str, forwarded: str, trusted: tuple[Network, ...]) -> str | None:
    address = _parse(peer)
    while address is not None and forwarded and any(address in network for network in trusted):
        forwarded, _, hop = forwarded.rpartition(",")
        parsed = _parse_hop(hop.strip())
        if parsed is None:
            break
        address = parsed
    if isinstance(address, IPv6Address):
        return str(IPv6Network((int(address), _CUSTOMER_PREFIX), strict=False))
    return None if address is None else str(address)


def is_allowed_host(scope: Scope, headers: Headers) -> bool:
    """Whether Host is one of ALLOWED_HOSTS; a probe of `/livez` may know only an address."""
    if "*" in _hosts or not scope["path"].startswith("/api/"):
        return True
    host = headers.get("host", "")
    return len(host) <= _LONGEST_KEY and _is_ours(host)


@lru_cache(maxsize=1_000)
def _is_ours(host: str) -> bool:
    found = _HOST.fullmatch(host.lower())
    if found is None:
        return False
    name = found[1].strip("[]")
    return name in _hosts or f"*.{name.partition('.')[2]}" in _hosts


def _parse_hop(text: str) -> Address | None:
    found = _HOP.fullmatch(text)
    return _parse(found[1] or found[2] if found else text)


def _parse(text: str) -> Address | None:
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
