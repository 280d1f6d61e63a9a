"""Read webhooks.toml: tables [endpoints.NAME] (docs/webhooks.md), every slip with its line and the fix."""

import re
from collections.abc import Callable, Mapping
from datetime import time
from typing import Any, Final, NoReturn
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from yarl import URL

from schemas.errors import SettingsError
from schemas.keys import NAME_PATTERN
from schemas.toml_text import TomlText, is_number, is_texts
from schemas.touchpoint.json_form import DEFAULT_TENANT
from sinks.webhooks.endpoints import CHANGES, DAY_MS, Cap, Consent, Endpoint, Mail, Quiet, Retries
from sinks.webhooks.signing import LONGEST, PREFIX, SHORTEST, secret_of

#: Text of a secret as the file has it, and the name of the entry → the secret. Raises SettingsError.
ReadSecret = Callable[[str, str], str]

_KEYS: Final = (
    "url", "tenant", "signals", "changes", "values", "retractions", "template", "secret", "unsigned", "headers",
    "allow_private", "timeout", "concurrency", "retry", "cap", "quiet", "consent", "mail",
)  # fmt: skip
_DURATION: Final = re.compile(r"(\d{1,6})(ms|s|m|h|d)")
_UNITS: Final = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": DAY_MS}
_CLOCK: Final = re.compile(r"([01]\d|2[0-3]):([0-5]\d)")
_HEADER: Final = re.compile(r"[A-Za-z0-9-]{1,64}")
_HEADER_VALUE: Final = re.compile(r"[\x21-\x7e]([\x20-\x7e]{0,4000}[\x21-\x7e])?")
_OURS: Final = re.compile(r"(?i)webhook-.*|host|content-length|content-type|transfer-encoding|connection")
_ADDRESS: Final = re.compile(r"[^\s<>@,;:\"]{1,64}@[^\s<>@,;:\"]{1,255}")
_MAIL_PORTS: Final = {"smtp": 25, "smtps": 465}
#: The longest window of a frequency cap: a message is remembered for as long.
_LONGEST_CAP: Final = 30 * DAY_MS


def parse_endpoints(text: str, origin: str, read_secret: ReadSecret) -> dict[str, Endpoint]:
    """The endpoints of a text, by name. Raises SettingsError naming the line and the fix."""
    document = TomlText(text, origin)
    tables = dict(document.tables)
    found = tables.pop("endpoints", None)
    if tables or not isinstance(found, dict) or not found:
        raise SettingsError(
            f"{origin} must hold tables [endpoints.NAME], one for each receiver, and nothing else"
        )
    return {name: _Table(document, name, table, read_secret).endpoint() for name, table in found.items()}


class _Table:
    """One table of the file."""

    def __init__(self, document: TomlText, name: str, table: Any, read_secret: ReadSecret) -> None:
        self._document = document
        self._name = name
        self._table: Mapping[str, Any] = table
        self._read_secret = read_secret
        if not isinstance(table, dict):
            self._fail("begin it with [endpoints.NAME]")
        if not NAME_PATTERN.fullmatch(name):
            self._fail("name it with 1 to 64 of A-Z a-z 0-9 _ . -")
        for entry in table:
            if entry not in _KEYS:
                self._fail(f"unknown: use {', '.join(_KEYS)}", entry)

    def _fail(self, fix: str, *entry: str) -> NoReturn:
        raise self._document.error(("endpoints", self._name, *entry), fix)

    def endpoint(self) -> Endpoint:
        url = self._secret("url", self._text("url", required=True))
        private = self._flag("allow_private", default=False)
        mail = self._checked_url(url, private)
        endpoint = Endpoint(
            name=self._name,
            url=url,
            tenant=self._text("tenant") or DEFAULT_TENANT,
            signals=frozenset(self._texts("signals")),
            changes=tuple(self._texts("changes")),
            values=frozenset(self._texts("values")),
            retractions=self._flag("retractions", default=True),
            template=self._text("template") or ("mail" if mail else "standard"),
            secrets=self._secrets(),
            headers=self._headers(),
            allow_private=private,
            timeout=float(self._number("timeout", 15, 0.1, 60)),
            concurrency=int(self._number("concurrency", 16, 1, 256, whole=True)),
            retries=self._retries(),
            cap=self._cap(),
            quiet=self._quiet(),
            consent=self._consent(),
            mail=mail,
        )
        self._check(endpoint)
        return endpoint

    def _check(self, endpoint: Endpoint) -> None:
        if not NAME_PATTERN.fullmatch(endpoint.tenant):
            self._fail("use 1 to 64 of A-Z a-z 0-9 _ . -", "tenant")
        if not endpoint.signals and not endpoint.changes:
            self._fail(
                'name kinds of signals, like signals = ["abandoned_cart"] (or ["*"]), or changes = ["stage"]'
            )
        for change in endpoint.changes:
            if change not in CHANGES:
                self._fail(f"no field whose changes are told: use {', '.join(CHANGES)}", "changes")
        if endpoint.values and not endpoint.changes:
            self._fail("it chooses among the values of changes, and there are none", "values")
        unsigned = self._flag("unsigned", default=False)
        if endpoint.mail is None and not endpoint.secrets and not unsigned:
            self._fail(
                f'give it secret = "{PREFIX}…" (openssl rand -base64 32), or say unsigned = true for a receiver'
                " whose address is its secret, such as Slack"
            )
        if endpoint.secrets and (unsigned or endpoint.mail):
            self._fail("nothing is signed here: leave it out", "secret")

    def _checked_url(self, url: str, private: bool) -> Mail | None:
        try:
            parts = urlsplit(url)
            port = parts.port
            URL(url)  # what is dialled: it refuses more
        except ValueError:
            self._fail("it is no URL", "url")
        schemes = ("https", "http", *_MAIL_PORTS)
        if parts.scheme not in schemes or not parts.hostname:
            self._fail("write https://host/path, or smtps://host (http and smtp with allow_private)", "url")
        if parts.username or parts.password or parts.fragment:
            self._fail("no user, password or fragment belongs into it: use headers, or mail", "url")
        if parts.scheme in _MAIL_PORTS:
            return self._mail(parts.scheme, parts.hostname, port or _MAIL_PORTS[parts.scheme], private)
        if "mail" in self._table:
            self._fail("it belongs to an smtp or smtps url", "mail")
        if parts.scheme == "http" and not private:
            self._fail(
                "it is not encrypted: use https, or allow_private = true for a network of your own", "url"
            )
        return None

    def _mail(self, scheme: str, host: str, port: int, private: bool) -> Mail:
        table = self._inner("mail", ("from", "to", "user", "password", "starttls"))
        starttls = table.get("starttls", False)
        if not isinstance(starttls, bool) or (starttls and scheme == "smtps"):
            self._fail("write true or false; smtps is encrypted without it", "mail", "starttls")
        if scheme == "smtp" and not starttls and not private:
            self._fail("it is not encrypted: use smtps, mail.starttls = true, or allow_private = true", "url")
        sender, recipients = table.get("from", ""), table.get("to", [])
        if not isinstance(sender, str) or not _ADDRESS.fullmatch(sender):
            self._fail('name the sender, like from = "touchline@shop.example"', "mail", "from")
        if not is_texts(recipients) or not recipients or not all(map(_ADDRESS.fullmatch, recipients)):
            self._fail('name the recipients, like to = ["desk@shop.example"]', "mail", "to")
        user, password = table.get("user", ""), table.get("password", "")
        if not isinstance(user, str) or not isinstance(password, str) or bool(user) != bool(password):
            self._fail("name user and password, or neither", "mail")
        if password and scheme == "smtp" and not starttls:
            self._fail("a password is sent over TLS only: use smtps or starttls = true", "mail", "password")
        secret = self._secret("mail.password", password) if password else ""
        return Mail(host, port, scheme == "smtps", starttls, sender, tuple(recipients), user, secret)

    def _secrets(self) -> tuple[bytes, ...]:
        given = self._table.get("secret", [])
        listed = [given] if isinstance(given, str) else given
        if not is_texts(listed, empty=False):
            self._fail("write a secret in quotes, or a list of two while it is rotated", "secret")
        found = [secret_of(self._secret("secret", text)) for text in listed]
        if None in found:
            self._fail(
                f'write "{PREFIX}" and the base64 of {SHORTEST} to {LONGEST} bytes, or @FILE', "secret"
            )
        return tuple(one for one in found if one is not None)

    def _headers(self) -> tuple[tuple[str, str], ...]:
        table = self._table.get("headers", {})
        if not isinstance(table, dict):
            self._fail('write headers = { Authorization = "@FILE" }', "headers")
        found = []
        for name, value in table.items():
            if not _HEADER.fullmatch(name) or _OURS.fullmatch(name):
                self._fail(f"{name[:80]!r} is no header that you may set", "headers")
            text = self._secret(f"headers.{name}", value) if isinstance(value, str) else ""
            if not _HEADER_VALUE.fullmatch(text):
                self._fail("write its value as printable ASCII in quotes, or @FILE", "headers", name)
            found.append((name, text))
        return tuple(found)

    def _retries(self) -> Retries:
        table = self._inner("retry", ("first", "longest", "give_up"))
        default = Retries()
        first = self._duration(table, "retry", "first", default.first_ms)
        longest = self._duration(table, "retry", "longest", max(default.longest_ms, first))
        give_up = self._duration(table, "retry", "give_up", max(default.give_up_ms, longest))
        if not first <= longest <= give_up:
            self._fail("first must be at most longest, and longest at most give_up", "retry")
        return Retries(first, longest, give_up)

    def _cap(self) -> Cap | None:
        if "cap" not in self._table:
            return None
        table = self._inner("cap", ("messages", "per"))
        per = self._duration(table, "cap", "per", DAY_MS)
        if per > _LONGEST_CAP:
            self._fail("a cap looks back 30 days at most", "cap", "per")
        if not is_number(table.get("messages"), 1, 100, whole=True):
            self._fail("write how many, 1 to 100", "cap", "messages")
        return Cap(table["messages"], per)

    def _quiet(self) -> Quiet | None:
        if "quiet" not in self._table:
            return None
        table = self._inner("quiet", ("from", "to", "zone"))
        times = []
        for entry in ("from", "to"):
            match = _CLOCK.fullmatch(table[entry]) if isinstance(table.get(entry), str) else None
            if match is None:
                self._fail('write a time of day, like "21:00"', "quiet", entry)
            times.append(time(int(match[1]), int(match[2])))
        if times[0] == times[1]:
            self._fail("from and to are the same: leave quiet out, or give it hours", "quiet")
        zone = table.get("zone")
        try:
            return Quiet(times[0], times[1], ZoneInfo(zone if isinstance(zone, str) else ""))
        except (KeyError, ValueError, OSError):
            self._fail('name a time zone, like "Europe/Vienna"', "quiet", "zone")

    def _consent(self) -> Consent | None:
        given = self._table.get("consent")
        if given is None:
            return None
        if isinstance(given, str):
            given = {"purpose": given}
        if not isinstance(given, dict) or set(given) - {"purpose", "rule"}:
            self._fail('write consent = "marketing", or { purpose = "…", rule = "granted" }', "consent")
        purpose, rule = given.get("purpose"), given.get("rule", "granted")
        if not isinstance(purpose, str) or not purpose:
            self._fail("name the purpose as sources do, like marketing", "consent")
        if rule not in ("granted", "not_withdrawn"):
            self._fail("rule is granted or not_withdrawn", "consent")
        return Consent(purpose, opt_out=rule == "not_withdrawn")

    def _inner(self, entry: str, known: tuple[str, ...]) -> dict[str, Any]:
        table = self._table.get(entry, {})
        if not isinstance(table, dict) or set(table) - set(known):
            self._fail(f"write a table with {', '.join(known)}", entry)
        return dict(table)

    def _duration(self, table: Mapping[str, Any], entry: str, name: str, default: int) -> int:
        if name not in table:
            return default
        match = _DURATION.fullmatch(table[name]) if isinstance(table[name], str) else None
        if match is None or int(match[1]) == 0:
            self._fail('write a duration, like "500ms", "5s", "10m", "1h" or "3d"', entry, name)
        return int(match[1]) * _UNITS[match[2]]

    def _text(self, entry: str, *, required: bool = False) -> str:
        value = self._table.get(entry, "")
        if not isinstance(value, str) or (required and not value):
            self._fail("write it as a text in quotes", *(() if entry not in self._table else (entry,)))
        return value

    def _texts(self, entry: str) -> list[str]:
        value = self._table.get(entry, [])
        if not is_texts(value, empty=False):
            self._fail('write a list, like ["abandoned_cart"]', entry)
        return value

    def _flag(self, entry: str, *, default: bool) -> bool:
        value = self._table.get(entry, default)
        if not isinstance(value, bool):
            self._fail("write true or false", entry)
        return value

    def _number(self, entry: str, default: float, least: float, most: float, *, whole: bool = False) -> float:
        value = self._table.get(entry, default)
        if not is_number(value, least, most, whole=whole):
            self._fail(f"write a number from {least} to {most}", entry)
        return float(value)

    def _secret(self, entry: str, text: str) -> str:
        return self._read_secret(text, f"endpoints.{self._name}.{entry}")
