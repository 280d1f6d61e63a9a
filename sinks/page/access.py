"""Who may see what: loopback without a login, or a reverse proxy that says who asks and for which tenants. Pure."""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from schemas.errors import SettingsError
from schemas.keys import NAME_PATTERN

#: Names under which a browser on this machine reaches a server on loopback.
_LOCAL_NAMES: Final = frozenset(("localhost", "127.0.0.1", "[::1]", "::1"))

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class RefusedError(Exception):
    """A request is refused; `detail` is one sentence for whoever asked."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail


@dataclass(frozen=True)
class ProxyLogin:
    """A reverse proxy that authenticates people and names them, with their tenants, in headers of each request."""

    user_header: str
    tenants_header: str  #: tenants that the person may see, comma-separated
    proxies: tuple[Network, ...]  #: where the proxy's connections come from; all others are refused


@dataclass(frozen=True)
class Viewer:
    """Somebody who may look."""

    name: str | None  #: as the proxy said; None without a login
    tenants: frozenset[str] | None  #: None: all

    def require(self, tenant: str) -> None:
        """Raise RefusedError if this tenant is not theirs. A tenant that does not exist is refused alike."""
        if self.tenants is not None and tenant not in self.tenants:
            raise RefusedError(403, f"tenant {tenant} is not yours to see")


@dataclass(frozen=True)
class Access:
    """The rule of one server. `login` is None on loopback; `tenants` None: every tenant may be seen there."""

    login: ProxyLogin | None = None
    tenants: frozenset[str] | None = None

    def admit(self, peer: str, host: str, headers: Mapping[str, str]) -> Viewer:
        """Who asks, by the connection's address, the Host header and the headers. Raises RefusedError.

        On loopback the Host must be a name of this machine: a page of another origin whose name was made to point
        to 127.0.0.1 (DNS rebinding) could else read everything.
        """
        if self.login is None:
            if _name_of(host) not in _LOCAL_NAMES:
                raise RefusedError(421, "this page answers to localhost and 127.0.0.1 only")
            return Viewer(None, self.tenants)
        if not _within(peer, self.login.proxies):
            raise RefusedError(403, "this page is reached through its proxy only")
        name = headers.get(self.login.user_header, "").strip()
        if not name:
            raise RefusedError(401, "the proxy did not say who you are: log in again")
        said = {part.strip() for part in headers.get(self.login.tenants_header, "").split(",")}
        tenants = frozenset(part for part in said if NAME_PATTERN.fullmatch(part))
        if self.tenants is not None:
            tenants &= self.tenants
        if not tenants:
            raise RefusedError(403, "you have no tenant here: ask whoever gives rights in your organisation")
        return Viewer(name, tenants)


def access(
    host: str, user_header: str, tenants_header: str, proxies: tuple[str, ...], tenants: tuple[str, ...]
) -> Access:
    """The rule for a server that listens on `host`. Raises SettingsError: only loopback may go without a login."""
    for tenant in tenants:
        if not NAME_PATTERN.fullmatch(tenant):
            raise SettingsError(f"--tenant is {tenant!r}: a tenant is 1 to 64 of A-Z a-z 0-9 _ . -")
    only = frozenset(tenants) or None
    if not user_header and not proxies:
        if not is_loopback(host):
            raise SettingsError(
                f"--host {host} would show customers to everybody who reaches it: listen on 127.0.0.1, or name the"
                " proxy that logs people in with --login-header and --proxy"
            )
        return Access(None, only)
    if not user_header or not proxies:
        raise SettingsError(
            "--login-header and --proxy belong together: a header counts only from a known proxy"
        )
    return Access(ProxyLogin(user_header, tenants_header, tuple(map(_network, proxies))), only)


def is_loopback(host: str) -> bool:
    """Whether an address to listen on is reached from this machine only."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _network(text: str) -> Network:
    try:
        return ipaddress.ip_network(text)
    except ValueError as error:
        raise SettingsError(
            f"--proxy is {text!r}: write an address or a network, like 10.0.0.0/24"
        ) from error


def _within(peer: str, networks: tuple[Network, ...]) -> bool:
    try:
        address = ipaddress.ip_address(peer.partition("%")[0])
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return any(address in network for network in networks if network.version == address.version)


def _name_of(host: str) -> str:
    """The Host header without its port, in lower case."""
    name, colon, port = host.rpartition(":")
    return (name if colon and port.isdecimal() else host).lower()
