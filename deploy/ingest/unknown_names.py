"""Names that the catalogue and the identity policy do not have, each with the nearest name that they do.

Of the catalogue: types, channels and consent purposes. Of the policy: identifier types, since what it does not name is
stored as it comes.
"""

import re
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Final

from schemas.catalogue import Catalogue
from schemas.records import Touchpoint
from schemas.touchpoint.erasure_names import ERASURE_REQUESTED, looks_like_erasure
from schemas.touchpoint.names import canonical
from streams.identity.policy.policy import IdentityPolicy

#: Names kept per kind; further ones are counted together. A field with ids in it by mistake has a name per event.
MAX_NAMES: Final = 1000
IDENTIFIER_TYPE: Final = "identifier type"
#: Likeness (0 to 1) from which a known name is proposed.
_NEAR: Final = 0.65
#: An e-mail address, or a phone number with its country code. Numbers without one may be anything.
_PERSONAL: Final = re.compile(
    r"\s*(?:[^@\s]+@[^@\s]+\.[^@\s]+|(?:tel:)?(?:\+|00)[1-9](?:[ ()./-]*[0-9]){7,14})\s*"
)


@dataclass(frozen=True)
class Unknown:
    """A name that the catalogue or the policy lacks."""

    kind: str  #: type, channel, purpose or identifier type
    name: str  #: in canonical form
    touchpoints: int
    nearest: str | None
    personal: bool = (
        False  #: whether a value of the identifier type looks like an e-mail address or a phone number
    )


class UnknownNames:
    """Counts the names of touchpoints that are unknown, which is no error.

    Without a policy it counts no identifier types.
    """

    def __init__(self, catalogue: Catalogue, policy: IdentityPolicy | None = None) -> None:
        self._catalogue = catalogue
        self._policy = policy
        self._counts: dict[str, Counter[str]] = {
            "type": Counter(),
            "channel": Counter(),
            "purpose": Counter(),
            IDENTIFIER_TYPE: Counter(),
        }
        self._personal: set[str] = set()
        #: Kind → touchpoints with a name beyond MAX_NAMES.
        self.uncounted: Counter[str] = Counter()

    def notice(self, touchpoint: Touchpoint) -> None:
        """Count the touchpoint's unknown names."""
        catalogue = self._catalogue
        name, channel = catalogue.type_name(touchpoint["type"]), catalogue.channel_name(touchpoint["channel"])
        if name not in catalogue.types:
            self._count("type", name)
        if channel not in catalogue.channels:
            self._count("channel", channel)
        for purpose in map(canonical, touchpoint["consent"]):
            if purpose not in catalogue.purposes:
                self._count("purpose", purpose)
        if self._policy is not None:
            policy = self._policy.for_tenant(touchpoint["tenant"])
            named = [(policy.type_name(one["type"]), one["value"]) for one in touchpoint["identifiers"]]
            for kind in sorted({kind for kind, _ in named} - policy.rules.keys()):
                self._count(IDENTIFIER_TYPE, kind)
                if kind in self._counts[IDENTIFIER_TYPE] and any(
                    of == kind and _PERSONAL.fullmatch(value) for of, value in named
                ):
                    self._personal.add(kind)

    def found(self) -> list[Unknown]:
        """The names, of each kind the most frequent first."""
        catalogue = self._catalogue
        known: dict[str, tuple[Collection[str], Mapping[str, str]]] = {
            "type": (catalogue.types, catalogue.type_aliases),
            "channel": (catalogue.channels, catalogue.channel_aliases),
            "purpose": (catalogue.purposes, {}),
        }
        if self._policy is not None:
            known[IDENTIFIER_TYPE] = self._policy.rules, self._policy.aliases
        return [
            Unknown(
                kind,
                name,
                count,
                _nearest(kind, name, *known[kind]),
                kind == IDENTIFIER_TYPE and name in self._personal,
            )
            for kind, counts in self._counts.items()
            for name, count in sorted(counts.items(), key=lambda item: (-item[1], item[0]))
        ]

    def document(self) -> list[dict[str, Any]]:
        """`found` for JSON."""
        return [
            {"kind": one.kind, "name": one.name, "touchpoints": one.touchpoints, "nearest": one.nearest}
            for one in self.found()
        ]

    def _count(self, kind: str, name: str) -> None:
        counts = self._counts[kind]
        if name in counts or len(counts) < MAX_NAMES:
            counts[name] += 1
        else:
            self.uncounted[kind] += 1


def _nearest(kind: str, name: str, names: Collection[str], aliases: Mapping[str, str]) -> str | None:
    if kind == "type" and looks_like_erasure(name):
        return ERASURE_REQUESTED
    likely = get_close_matches(name, sorted({*names, *aliases}), n=1, cutoff=_NEAR)
    return aliases.get(likely[0], likely[0]) if likely else None
