"""Where a request comes from."""

import re
from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

import structlog
from starlette.datastructures import Headers

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_CUSTOMER_PREFIX = 64  # providers give a customer a whole /64 of IPv6: one address is no limit
LOOKS = 1_000  # a proxy shows itself in the first requests; later ones are not looked through
_TELLING = {b"x-forwarded-for", b"forwarded", b"x-real-ip"}

# Proxies write an address with or without its port: 192.0.2.1:4711, [2001:db8::1]:4711.
_HOP = re.compile(r"\[([0-9A-Fa-f:.]{2,45})\](?::[0-9]{1,5})?|([0-9.]{7,15}):[0-9]{1,5}", re.ASCII)

log = structlog.stdlib.get_logger(__name__)


class ClientNetworks:
    """Where requests come from, by the word of the proxies that are trusted."""

    def __init__(self, trusted: Iterable[Network]) -> None:
        self.trusted = tuple(trusted)
        # The same few networks again and again: parsing takes 10 us.
        self.find = lru_cache(maxsize=2_000)(self._find)

    def _find(self, peer: str, forwarded: str) -> str | None:
        """The caller's IPv4 address or IPv6 /64; None when the server does not know the `peer`.

        Each proxy adds the address that it saw to the right of X-Forwarded-For. What stands left of
        the first address that is not a trusted proxy was written by the caller: it can be anything.
        """
        address = _parse(peer)
        while address is not None and forwarded and self._is_trusted(address):
            forwarded, _, hop = forwarded.rpartition(",")
            parsed = _parse_hop(hop.strip())
            if parsed is None:
                break
            address = parsed
        if isinstance(address, IPv6Address):
            return str(IPv6Network((int(address), _CUSTOMER_PREFIX), strict=False))
        return None if address is None else str(address)

    def _is_trusted(self, address: Address) -> bool:
        return any(address in network for network in self.trusted)


class ProxyWatch:
    """Notices a proxy in front that TRUSTED_PROXIES does not name.

    One warning a process: without TRUSTED_PROXIES all callers behind a proxy share one limit.
    """

    def __init__(self, *, is_needed: bool) -> None:
        self.looks_left = LOOKS if is_needed else 0

    def look(self, headers: Headers) -> None:
        """Warn once, at the first request that a proxy has passed on."""
        self.looks_left -= 1
        if not _TELLING.isdisjoint([name for name, _ in headers.raw]):
            self.looks_left = 0
            log.warning(
                "TRUSTED_PROXIES: is empty, but a proxy says for whom it asks; name its network, "
                "or all callers share one limit"
            )


def _parse_hop(text: str) -> Address | None:
    found = _HOP.fullmatch(text)
    return _parse(found[1] or found[2] if found else text)


def _parse(text: str) -> Address | None:
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
