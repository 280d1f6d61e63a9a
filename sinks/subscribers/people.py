"""Look-ups in the table: a person by a profile id or by any identifier, an account."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from typing import Any, Final

from schemas.encoding.codec import decode_own
from schemas.encoding.registry import current
from schemas.http.problems import ProblemError
from schemas.keys import account_key
from schemas.records import Identifier
from sinks.subscribers.table.store import Row, StateTable, present_owner

#: Tenant and identifier as a person says it → as it is stored: normalised, and pseudonymised if the policy says so.
#: None if the policy blocks the value: nobody is known by it.
StoredForm = Callable[[str, Identifier], Identifier | None]

#: Fields of a state that an answer has whatever `fields` says.
_ALWAYS: Final = ("tenant", "profile_id", "account_id", "version")
FIELDS: Final[Mapping[str, tuple[str, ...]]] = {
    name: tuple(field["name"] for field in current()[name]["fields"])
    for name in ("JourneyState", "AccountState")
}


@dataclass(frozen=True, slots=True)
class Found:
    """The state of a person or an account, still encoded."""

    name: str  #: the schema of the state
    row: Row
    merged_from: str | None = (
        None  #: the profile id that was asked for, if its profile was merged into this one
    )
    shared_from: int | None = None  #: of an identifier that several people use: since when, UTC ms

    @property
    def etag(self) -> str:
        """Changes whenever the answer at an address does, also between tenants."""
        whose = blake2b(self.row.key, digest_size=8).hexdigest()
        return f'"{whose}.{self.row.version}.{self.row.offset}.{self.shared_from or ""}"'

    def document(self, fields: Collection[str] = ()) -> dict[str, Any]:
        """The answer; of the state only the named fields and its identity, if any are named."""
        state = decode_own(self.name, self.row.value)
        if fields:
            state = {name: value for name, value in state.items() if name in fields or name in _ALWAYS}
        if self.name == "AccountState":
            return {"account_id": self.row.name, "state": state}
        return {
            "profile_id": self.row.name, "merged_from": self.merged_from, "shared_from": self.shared_from,
            "state": state,
        }  # fmt: skip

    def holds(self, event_id: str) -> bool:
        """Whether a touchpoint is among the newest that the state lists."""
        return any(one["event_id"] == event_id for one in decode_own(self.name, self.row.value)["recent"])


class People:
    """Answers from the table alone; a call takes microseconds and blocks for no longer."""

    def __init__(self, table: StateTable, stored_form: StoredForm) -> None:
        self._table = table
        self._stored_form = stored_form

    def by_profile(self, tenant: str, profile_id: str) -> Found | None:
        """The person whom a profile id stands for now: after a merge the survivor."""
        row = self._table.person(tenant, profile_id)
        if row is None:
            return None
        return Found("JourneyState", row, profile_id if row.name != profile_id else None)

    def by_identifier(self, tenant: str, type_: str, value: str) -> Found | None:
        """The person whose an identifier is now, as the person says it. Raises ProblemError if that cannot be read."""
        stored = self._stored_form(tenant, {"type": type_, "value": value})
        if stored is None:
            return None
        assignment = self._table.assignment(tenant, stored["type"], stored["value"])
        profile = present_owner(tenant, stored, assignment)
        row = self._table.person(tenant, profile)
        if row is None:
            return None
        return Found("JourneyState", row, shared_from=assignment["contested_from"] if assignment else None)

    def account(self, tenant: str, account_id: str) -> Found | None:
        """An account."""
        row = self._table.row("accounts", account_key(tenant, account_id))
        return None if row is None else Found("AccountState", row)


@lru_cache(maxsize=256)
def fields_of(schema: str, text: str) -> frozenset[str]:
    """The fields that `?fields=` names. Raises ProblemError."""
    names = frozenset(name.strip() for name in text.split(",") if name.strip())
    unknown = sorted(names - set(FIELDS[schema]))
    if unknown:
        raise ProblemError(
            400,
            "fields",
            f"a {schema} has no field {unknown[0][:80]!r}: schemas/avro/{schema}.avsc lists them",
        )
    return names
