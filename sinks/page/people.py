"""What the page asks about one person, and who answers: a port, because the identity policy belongs to the streams."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True)
class Described:
    """Everything about one person, as `touchline journey --json` prints it, and the touchpoints of the picture."""

    document: Mapping[str, Any]
    touches: tuple[
        Mapping[str, Any], ...
    ]  #: oldest first: at, type, channel, component, direction, moment, friction


class People(Protocol):
    """Looks people up. Both methods raise UnseenError if nobody is known, and what `connect` raises; they block."""

    def find(self, tenant: str, asked: str) -> str:
        """The profile id of whom a person names: TYPE:VALUE as the customer says it, a bare value, or a profile id."""

    def describe(self, tenant: str, profile: str) -> Described:
        """Everything about a profile, or about the one that it was merged into."""
