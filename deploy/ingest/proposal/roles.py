"""Which column of a profile is what of a touchpoint, and why: by its values first, then by its name."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from deploy.ingest.proposal.profile import Column, Profile

#: Different values up to which a column is a kind of something.
_KINDS: Final = 60
_ATTRIBUTES: Final = 12
_ATTRIBUTE_CHARACTERS: Final = 100

_TIME: Final = (
    "occurred",
    "event_?time",
    "event_?timestamp",
    "^timestamp$",
    "time",
    "created",
    "date",
    "when",
    "at$",
)
_EVENT_ID: Final = (
    "^event_?id$", "message_?id", "^uuid$", "^guid$", "^id$", "interaction_?id", "conversation_?id", "ticket_?id",
    "case_?id", "^_id$",
)  # fmt: skip
_TYPE: Final = (
    "^event$",
    "event_?name",
    "event_?type",
    "^type$",
    "^action$",
    "activity",
    "^kind$",
    "^what$",
    "^name$",
)
_CHANNEL: Final = ("channel", "platform", "^origin$", "^via$", "media_?type", "^medium$")
_IDENTIFIERS: Final = {
    "customer_id": ("customer", "client_?(id|no|number)?$", "^user_?id$", "^user$", "member", "subscriber", "kunde"),
    "cookie": ("cookie", "anonymous", "visitor", "pseudo_?id", "browser_?id"),
    "device_id": ("device_?id", "install"),
    "ad_id": ("idfa", "gaid", "ad_?id$", "advertising"),
    "loyalty_id": ("loyalty", "card_?(no|number|id)", "bonus"),
    "crm_id": ("contact_?id", "crm", "lead_?id"),
}  # fmt: skip
_EMAIL: Final = ("e_?mail",)
_PHONE: Final = ("phone", "mobile", "msisdn", "^ani$", "^tel")
_REFERENCES: Final = {
    "order_id": ("order_?(id|no|number)", "^order$", "transaction_?id"),
    "session_id": ("session",),
    "issue_id": ("(ticket|case|issue)_?(id|no|nr|number)?$",),
    "campaign": ("campaign",),
    "account_id": ("account_?(id|no|number)?$", "organi[sz]ation", "company"),
}  # fmt: skip
_AMOUNT: Final = ("amount", "revenue", "total", "price", "value", "sum$", "betrag")
_MINOR: Final = ("cents", "minor")
_CURRENCY: Final = ("currency", "^curr", "money")
#: What holds personal data in clear text is proposed as nothing.
_PERSONAL: Final = (
    "name", "address", "street", "birth", "ip$", "^ip", "agent", "iban", "password", "comment", "subject", "text",
    "note", "city", "zip", "requester", "submitter", "assignee", "customer", "contact", "owner", "author", "user",
    "domain", "fingerprint",
)  # fmt: skip
_ID: Final = "(^|_)id(_|$)"


@dataclass(frozen=True)
class Role:
    """A column in its place, with the reason."""

    column: Column
    why: str


@dataclass
class Roles:
    """What the columns of a file are, as far as it shows."""

    time: Role | None = None
    event_id: Role | None = None
    type: Role | None = None
    channel: Role | None = None
    identifiers: dict[str, list[Role]] = field(default_factory=dict)
    references: dict[str, Role] = field(default_factory=dict)
    amount: Role | None = None
    amount_minor: Role | None = None
    currency: Role | None = None
    attributes: list[Column] = field(default_factory=list)


def roles(found: Profile) -> Roles:
    """The most likely role of each column; a column has one role at most."""
    free = {name: column for name, column in found.columns.items() if column.rows}
    made = Roles()

    def take(role: Role | None) -> Role | None:
        if role is not None:
            del free[role.column.name]
        return role

    made.time = take(_time(free.values()))
    for kind, is_kind, names in (("email", Column.is_emails, _EMAIL), ("phone", Column.is_phones, _PHONE)):
        for column in [
            one for one in free.values() if is_kind(one) or (kind == "phone" and _named(one, names))
        ]:
            why = f"it holds {kind} {'addresses' if kind == 'email' else 'numbers'}"
            made.identifiers.setdefault(kind, []).append(Role(column, why))
            del free[column.name]
    unique = [one for one in free.values() if _is_unique(one, found)]
    made.event_id = take(_by_name(unique, _EVENT_ID, "it is different in every row"))
    codes = [one for one in free.values() if _is_currency(one)]
    made.currency = take(_by_name(codes, _CURRENCY, "it holds codes of currencies"))
    numbers = [one for one in free.values() if one.is_numbers()]
    made.amount_minor = take(_by_name(numbers, _MINOR, "it holds whole numbers and is named so"))
    if made.amount_minor is None:
        made.amount = take(_by_name(numbers, _AMOUNT, "it holds numbers and is named so"))
    for kind, patterns in _IDENTIFIERS.items():
        role = take(_by_name(free.values(), patterns, "it is named so"))
        if role is not None:
            made.identifiers.setdefault(kind, []).append(role)
    for kind, patterns in _REFERENCES.items():
        role = take(_by_name(free.values(), patterns, "it is named so"))
        if role is not None:
            made.references[kind] = role
    for name in ("channel", "type"):
        kinds = [one for one in free.values() if len(one.distinct) <= _KINDS]
        patterns = _CHANNEL if name == "channel" else _TYPE
        setattr(made, name, take(_by_name(kinds, patterns, "it is named so and has few different values")))
    made.attributes = [one for one in free.values() if _is_attribute(one, found)][:_ATTRIBUTES]
    return made


def _time(columns: Iterable[Column]) -> Role | None:
    times = [one for one in columns if one.time_format() is not None and not _is_short_number(one)]
    if not times:
        return None
    most = max(one.rows for one in times)
    full = [one for one in times if one.rows == most]
    return _by_name(full, _TIME, "it holds times, and is named so") or Role(full[0], "it holds times")


def _is_short_number(column: Column) -> bool:
    """Whether what looks like ISO dates is numbers of eight digits by chance of their form."""
    return all(one.isdigit() and len(one) < 9 for one in column.texts) and not _named(column, _TIME)


def _by_name(columns: Iterable[Column], patterns: tuple[str, ...], why: str) -> Role | None:
    """The column that the earliest pattern names."""
    listed = list(columns)
    for pattern in patterns:
        for column in listed:
            if _named(column, (pattern,)):
                return Role(column, why)
    return None


def _named(column: Column, patterns: tuple[str, ...]) -> bool:
    """Whether the last part of a column's name is like one of the patterns, without case, spaces as underscores."""
    last = column.name.rpartition(".")[2] if "." in column.name else column.name
    plain = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|[\s-]+", "_", last).lower()
    return any(re.search(pattern, plain) for pattern in patterns)


def _is_unique(column: Column, found: Profile) -> bool:
    return column.all_different and column.rows == found.rows


def _is_currency(column: Column) -> bool:
    return all(len(one) == 3 and one.isascii() and one.isupper() for one in column.texts)


def _is_attribute(column: Column, found: Profile) -> bool:
    few = len(column.distinct) <= min(_KINDS, max(2, found.rows // 2))
    if column.time_format() is not None or _named(column, (*_PERSONAL, _ID)):
        return False
    return few and all(len(one) <= _ATTRIBUTE_CHARACTERS for one in column.texts)
