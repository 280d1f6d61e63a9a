"""Checks of single fields of records on internal topics (schemas/internal.py). Each raises ContractError."""

from typing import Final

from schemas.errors import ContractError, Reason
from schemas.keys import NAME_PATTERN, is_uuid
from schemas.records import Identifier
from schemas.touchpoint.rules import EARLIEST_MS, LATEST_MS, MAX_IDENTIFIER_CHARACTERS

#: Characters of an identifier as it is stored: one of Unicode may become 18 when it is normalised.
MAX_STORED_CHARACTERS: Final = 18 * MAX_IDENTIFIER_CHARACTERS


def check_id(what: str, text: str) -> None:
    """Raise ContractError unless the id of `what` (a profile, a change, …) is a UUID as Touchline writes it."""
    if not is_uuid(text):
        raise invalid(f"{what} is called {text[:80]!r}, which is no UUID in lower case with hyphens")


def check_profile(profile_id: str) -> None:
    """Raise ContractError unless a profile id is one that identity could have made."""
    check_id("a profile", profile_id)


def check_tenant(tenant: str) -> None:
    """Raise ContractError unless a tenant can stand in a key."""
    if NAME_PATTERN.fullmatch(tenant) is None:
        raise invalid(f"tenant is {tenant[:80]!r}: use 1 to 64 of A-Z a-z 0-9 _ . -")


def check_identifier(identifier: Identifier) -> None:
    """Raise ContractError unless an identifier, in stored form, can stand in a key."""
    kind, value = identifier["type"], identifier["value"]
    if NAME_PATTERN.fullmatch(kind) is None:
        raise invalid(f"an identifier type is {kind[:80]!r}: use 1 to 64 of A-Z a-z 0-9 _ . -")
    if not 0 < len(value) <= MAX_STORED_CHARACTERS:
        raise ContractError(Reason.TOO_LARGE, f"an identifier has {len(value)} characters")
    if "\x1f" in value:
        raise invalid(f"the identifier {kind} holds the separator of keys")


def check_time(name: str, time: int) -> None:
    """Raise ContractError unless a time (UTC ms) is one that a touchpoint may have."""
    if not EARLIEST_MS <= time <= LATEST_MS:
        raise invalid(f"{name} {time} is not between 1900 and 2262")


def invalid(message: str) -> ContractError:
    """The error of a record that breaks a rule."""
    return ContractError(Reason.INVALID, message)
