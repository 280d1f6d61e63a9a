"""No message goes to a private, loopback or link-local address, by whatever name or spelling."""

import asyncio
import socket
from ipaddress import ip_address
from typing import Any

import pytest

from sinks.webhooks.addresses import AddressError, JudgingResolver, is_public, judge_literal, judged

PRIVATE = [
    "127.0.0.1", "127.8.8.8", "0.0.0.0", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1",
    "192.0.2.1", "198.18.0.1", "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255",
    "::", "::1", "fe80::1", "fc00::1", "fd12:3456::1", "ff02::1", "2001:db8::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1",
    "::127.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "2002:7f00:1::", "2002:a00:1::1", "2001:0:7f00:1::",
    "fec0::1",
]  # fmt: skip
PUBLIC = ["1.1.1.1", "8.8.8.8", "93.184.216.34", "2606:4700:4700::1111", "::ffff:8.8.8.8"]


@pytest.mark.parametrize("text", PRIVATE)
def test_an_address_that_is_not_public_is_refused(text: str) -> None:
    assert not is_public(ip_address(text))
    with pytest.raises(AddressError, match="allow_private"):
        judged("host", ["8.8.8.8", text])
    with pytest.raises(AddressError, match="allow_private"):
        judge_literal(text)


@pytest.mark.parametrize("text", PUBLIC)
def test_a_public_address_passes(text: str) -> None:
    assert is_public(ip_address(text))
    assert judged("host", [text]) == [text]
    judge_literal(text)


def test_a_name_is_no_literal() -> None:
    judge_literal("hooks.example")


def test_the_addresses_that_were_judged_are_the_ones_that_are_dialled(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A name that says another address the second time: it is asked once."""
    answers = iter([["93.184.216.34"], ["127.0.0.1"]])

    async def resolved() -> list[list[str]]:
        async def getaddrinfo(host: str, port: int, **_: Any) -> list[Any]:
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, port)) for one in next(answers)]

        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo)
        first = await JudgingResolver().resolve("rebinds.example", 443)
        with pytest.raises(AddressError):
            await JudgingResolver().resolve("rebinds.example", 443)
        return [[one["host"] for one in first]]

    assert asyncio.run(resolved()) == [["93.184.216.34"]]


@pytest.mark.parametrize("spelling", ["2130706433", "0177.0.0.1", "0x7f.1", "127.1"])
def test_spellings_of_loopback_that_the_system_knows_are_judged_by_what_they_resolve_to(
    spelling: str,
) -> None:
    with pytest.raises(OSError, match=r"not public|Name|not known"):
        asyncio.run(JudgingResolver().resolve(spelling, 80))


@pytest.mark.parametrize("spelling", ["2130706433", "0177.0.0.1", "127.1", "0", "1.1.1", "::1::"])
def test_what_looks_like_an_address_and_is_none_is_never_dialled(spelling: str) -> None:
    """Else aiohttp would dial it without asking the resolver."""
    with pytest.raises(AddressError, match="usual form"):
        judge_literal(spelling)
