"""Which records `touchline tail` shows."""

from collections.abc import Collection
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Final

from deploy.screens.tail.streams import Item, Stream
from deploy.screens.tail.where import Condition, condition
from schemas.errors import SettingsError
from schemas.profile_ids import own_profile
from schemas.records import Identifier, IdentityAssignment
from streams.identity.resolution.ownership import node_of

#: Option → the streams that it can choose from.
_FOR: Final = {
    "stage": ("states",),
    "kind": ("signals", "changes"),
    "identifier": ("states", "signals", "changes"),
}
#: The kinds of changes, as ProfileChanged.avsc has them.
CHANGE_KINDS: Final = ("MERGED", "SPLIT", "ERASED")


@dataclass
class Person:
    """Somebody named by an identifier, in its stored form: the profiles that have owned it since tail looked."""

    tenant: str
    identifier: Identifier
    profiles: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        # an identifier without an assignment is a profile of its own, and a merge later is told with that profile's id
        self.profiles.add(own_profile(self.tenant, node_of(self.identifier)))

    def note(self, assignment: IdentityAssignment) -> None:
        """Take an assignment, in the order of the topic; those of other identifiers change nothing."""
        if (assignment["tenant"], assignment["identifier"]) == (self.tenant, self.identifier):
            self.profiles |= {assignment["profile_id"]} | {
                assignment["contested_profile_id"] or assignment["profile_id"]
            }

    def is_meant(self, stream: Stream, item: Item) -> bool:
        """Whether a record is about this person, or about the profile that one of this person's became."""
        if item.tenant != self.tenant:
            return False
        if (
            stream.name == "states"
            and item.record is not None
            and self.identifier in item.record["identifiers"]
        ):
            self.profiles.add(item.subject)
            return True
        return bool(profiles_of(stream, item) & self.profiles)


@dataclass(frozen=True)
class Selection:
    """Everything that is given must hold. A tombstone has no stage and no kind, and meets no condition."""

    stream: Stream
    tenant: str | None = None
    profile: str | None = None
    person: Person | None = None
    stage: str | None = None
    kind: str | None = None
    where: Condition | None = None

    def takes(self, item: Item) -> bool:
        """Whether a record is shown."""
        found = item.record
        return (
            self.tenant in (None, item.tenant)
            and (self.profile is None or self.profile in profiles_of(self.stream, item))
            and (self.person is None or self.person.is_meant(self.stream, item))
            and (
                self.stage is None
                or (found is not None and found["stage"].casefold() == self.stage.casefold())
            )
            and (
                self.kind is None or (found is not None and found["kind"].casefold() == self.kind.casefold())
            )
            and (self.where is None or (found is not None and self.where(found)))
        )


def select(
    stream: Stream,
    *,
    tenant: str | None,
    profile: str | None,
    person: Person | None,
    stage: str | None,
    kind: str | None,
    where: str | None,
) -> Selection:
    """The selection that options ask for. Raises SettingsError for one that the stream does not know."""
    given = {"stage": stage, "kind": kind, "identifier": person}
    for option, streams in _FOR.items():
        if given[option] is not None and stream.name not in streams:
            raise SettingsError(
                f"{stream.name} cannot be chosen by --{option}: that is for {' and '.join(streams)}"
            )
    if stream.name == "changes" and kind is not None and kind.upper() not in CHANGE_KINDS:
        raise SettingsError(f"--kind is {kind!r}: a change is {', '.join(CHANGE_KINDS).lower()}")
    test = None if where is None else condition(where, stream.record)
    return Selection(stream, tenant, profile, person, stage, kind, test)


def doubt(option: str, value: str, known: Collection[str]) -> str | None:
    """A sentence if this environment's own files do not name a value; those of the workers may name it."""
    if value.casefold() in {name.casefold() for name in known}:
        return None
    near = get_close_matches(value, list(known), n=1)
    hint = f"did you mean {near[0]}?" if near else f"they name {', '.join(sorted(known))}"
    return f"{option} {value!r} is not named by the catalogue, rules and policy here, so nothing may come: {hint}"


def profiles_of(stream: Stream, item: Item) -> set[str]:
    """All profiles that a record is about."""
    found = item.record
    if stream.name == "accounts":
        return set() if found is None else set(found["member_ids"])
    profiles = {item.subject}
    if found is not None and stream.name == "changes":
        profiles |= set(found["others"])
    if found is not None and stream.name == "signals" and found["successor"]:
        profiles.add(found["successor"])
    return profiles
