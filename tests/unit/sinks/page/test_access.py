"""Who may see what: loopback shows everything to this machine only; a proxy's login shows what it says."""

import pytest

from schemas.errors import SettingsError
from sinks.page.access import Access, RefusedError, Viewer, access

LOCAL = Access()
PROXIED = access("0.0.0.0", "X-User", "X-Tenants", ("10.1.0.0/16", "fd00::/8"), ())
EVE = {"X-User": "eve", "X-Tenants": "acme, shop ,<b>"}


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "127.8.8.8"])
def test_loopback_needs_no_login(host: str) -> None:
    assert access(host, "", "", (), ()) == LOCAL


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "page.example"])
def test_an_address_that_others_reach_needs_a_login(host: str) -> None:
    with pytest.raises(
        SettingsError, match=f"--host {host} would show customers to everybody .* --login-header"
    ):
        access(host, "", "", (), ())


@pytest.mark.parametrize(("header", "proxies"), [("X-User", ()), ("", ("10.0.0.1",))])
def test_a_login_header_counts_only_from_a_named_proxy(header: str, proxies: tuple[str, ...]) -> None:
    with pytest.raises(SettingsError, match="belong together"):
        access("127.0.0.1", header, "X-Tenants", proxies, ())


def test_what_is_no_network_or_tenant_is_refused_at_start() -> None:
    with pytest.raises(SettingsError, match=r"--proxy is 'proxy\.example'"):
        access("::", "X-User", "X-Tenants", ("proxy.example",), ())
    with pytest.raises(SettingsError, match="--tenant is 'a/b'"):
        access("::1", "", "", (), ("a/b",))


@pytest.mark.parametrize("host", ["localhost:8470", "127.0.0.1:8470", "LOCALHOST", "[::1]:8470", "127.0.0.1"])
def test_a_browser_on_this_machine_sees_every_tenant(host: str) -> None:
    viewer = LOCAL.admit("127.0.0.1", host, {})
    assert viewer == Viewer(None, None)
    viewer.require("any")


@pytest.mark.parametrize(
    "host", ["evil.example:8470", "evil.example", "127.0.0.1.evil.example", "", "localhost."]
)
def test_a_name_that_was_made_to_point_here_is_refused(host: str) -> None:
    with pytest.raises(RefusedError) as refused:
        LOCAL.admit("127.0.0.1", host, {})
    assert refused.value.status == 421


@pytest.mark.parametrize("peer", ["10.1.2.3", "::ffff:10.1.2.3", "fd00::7", "fd00::7%eth0"])
def test_a_proxy_says_who_asks_and_for_which_tenants(peer: str) -> None:
    viewer = PROXIED.admit(peer, "page.example", EVE)
    assert viewer == Viewer("eve", frozenset(("acme", "shop")))
    viewer.require("acme")
    with pytest.raises(RefusedError):
        viewer.require("default")


@pytest.mark.parametrize("peer", ["10.2.0.1", "127.0.0.1", "", "fe80::1"])
def test_headers_of_anybody_else_count_nothing(peer: str) -> None:
    with pytest.raises(RefusedError) as refused:
        PROXIED.admit(peer, "page.example", EVE)
    assert refused.value.status == 403


@pytest.mark.parametrize(("headers", "status"), [({}, 401), ({"X-User": " "}, 401), ({"X-User": "eve"}, 403)])
def test_nobody_and_nothing_to_see_are_told_apart(headers: dict[str, str], status: int) -> None:
    with pytest.raises(RefusedError) as refused:
        PROXIED.admit("10.1.0.1", "page.example", headers)
    assert refused.value.status == status


def test_a_server_for_one_tenant_shows_no_other_whatever_the_proxy_says() -> None:
    only = access("::", "X-User", "X-Tenants", ("10.1.0.0/16",), ("shop",))
    assert only.admit("10.1.0.1", "page.example", EVE).tenants == {"shop"}
    assert access("::1", "", "", (), ("shop",)).admit("::1", "localhost", {}).tenants == {"shop"}
