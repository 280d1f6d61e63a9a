"""Which addresses a message may go to: a name is resolved once, all its addresses are judged, then dialled.

So a name that resolves to another address a moment later (DNS rebinding) gains nothing, and neither does an address
that wraps another one (IPv4-mapped, NAT64, 6to4, Teredo).
"""

import asyncio
import socket
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Any, Final

from aiohttp.abc import AbstractResolver, ResolveResult

_NAT64: Final = (IPv6Network("64:ff9b::/96"), IPv6Network("64:ff9b:1::/48"))

Address = IPv4Address | IPv6Address


class AddressError(OSError):
    """A receiver's address is not a public one. Response: retry later, an operator may mend the name."""


def is_public(address: Address) -> bool:
    """Whether an address is a host on the public internet, and every address wrapped in it is, too."""
    return all(
        one.is_global and not (one.is_multicast or one.is_reserved or one.is_unspecified or _site_local(one))
        for one in _with_wrapped(address)
    )


def _site_local(address: Address) -> bool:
    """fec0::/10, which Python counts as global."""
    return isinstance(address, IPv6Address) and address.is_site_local


def _with_wrapped(address: Address) -> Iterator[Address]:
    yielded = address
    if isinstance(address, IPv6Address):
        wrapped: list[Address] = []
        if address.ipv4_mapped is not None:
            # what counts is the address that it maps
            yield address.ipv4_mapped
            return
        if address.sixtofour is not None:
            wrapped.append(address.sixtofour)
        if address.teredo is not None:
            wrapped.extend(address.teredo)
        if any(address in network for network in _NAT64) or int(address) >> 32 == 0:
            wrapped.append(IPv4Address(int(address) & 0xFFFFFFFF))
        yield from wrapped
    yield yielded


def judged(host: str, addresses: list[str]) -> list[str]:
    """The addresses of a host. Raises AddressError unless all of them are public: one of them would be dialled."""
    for text in addresses:
        if not is_public(ip_address(text.partition("%")[0])):
            raise AddressError(
                f"{host} is at {text}, which is not public: say allow_private = true if you mean it"
            )
    return addresses


def judge_literal(host: str) -> None:
    """Raise AddressError if a host is written as an address that is not public. Names are judged when resolved.

    `host` is what is dialled: other digits and dots of Unicode have become these of ASCII (IDNA). aiohttp resolves no
    host that looks like an address, so one that looks so must be one: 127.1 is refused, and so is 2130706433.
    """
    if ":" not in host and not host.replace(".", "").isdigit():
        return
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError as error:
        raise AddressError(f"{host} is no address in its usual form: write it so, or a name") from error
    if not is_public(address):
        raise AddressError(f"{host} is not public: say allow_private = true if you mean it")


async def resolve(host: str, port: int, *, allow_private: bool) -> list[tuple[Any, ...]]:
    """What getaddrinfo says of a host, all of it judged. Raises OSError, AddressError among them."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    if not allow_private:
        judged(host, [str(entry[4][0]) for entry in found])
    return found


class JudgingResolver(AbstractResolver):
    """For aiohttp: the addresses that it returns are the ones that are dialled. aiohttp asks it for names only."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Raises OSError, AddressError among them."""
        found = await resolve(host, port, allow_private=False)
        return [
            ResolveResult(
                hostname=host, host=str(address[0]), port=port, family=kind, proto=protocol,
                flags=int(socket.AI_NUMERICHOST | socket.AI_NUMERICSERV),
            )
            for kind, _, protocol, _, address in found
            if family in (socket.AF_UNSPEC, kind)
        ]  # fmt: skip

    async def close(self) -> None:
        """It keeps nothing open."""
