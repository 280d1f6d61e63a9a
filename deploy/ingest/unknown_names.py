"""Types, channels and consent purposes that the catalogue does not name: each with the nearest name that it does."""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Final

from schemas.catalogue import Catalogue
from schemas.records import Touchpoint
from schemas.touchpoint.names import canonical

#: Names kept per kind; further ones are counted together. A field with ids in it by mistake has a name per event.
MAX_NAMES: Final = 1000
#: Likeness (0 to 1) from which a known name is proposed.
_NEAR: Final = 0.65


@dataclass(frozen=True)
class Unknown:
    """A name that the catalogue lacks."""

    kind: str  #: type, channel or purpose
    name: str  #: in canonical form
    touchpoints: int
    nearest: str | None


class UnknownNames:
    """Counts the names of touchpoints that a catalogue does not have; an unknown name is no error."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._counts: dict[str, Counter[str]] = {
            "type": Counter(),
            "channel": Counter(),
            "purpose": Counter(),
        }
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

    def found(self) -> list[Unknown]:
        """The names, of each kind the most frequent first."""
        catalogue = self._catalogue
        known: dict[str, tuple[Collection[str], Mapping[str, str]]] = {
            "type": (catalogue.types, catalogue.type_aliases),
            "channel": (catalogue.channels, catalogue.channel_aliases),
            "purpose": (catalogue.purposes, {}),
        }
        return [
            Unknown(kind, name, count, _nearest(name, *known[kind]))
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


def _nearest(name: str, names: Collection[str], aliases: Mapping[str, str]) -> str | None:
    likely = get_close_matches(name, sorted({*names, *aliases}), n=1, cutoff=_NEAR)
    return aliases.get(likely[0], likely[0]) if likely else None
