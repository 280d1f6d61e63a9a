"""Looks people up for the live page, as `touchline journey` does for the terminal."""

import re
import time
from collections.abc import Iterator
from typing import Any, Final

from deploy.screens.journey.context import context
from deploy.screens.journey.document import document
from deploy.screens.journey.facts import Facts
from deploy.screens.journey.hints import hints
from deploy.screens.journey.lookup import PROFILE, UnknownPersonError, look_up
from schemas.catalogue import Catalogue
from schemas.settings import ClickHouse
from sinks.page.people import Described
from streams.identity.policy.policy import IdentityPolicy

_TYPED: Final = re.compile(r"[A-Za-z0-9_. -]{1,64}:.")
_PHONE: Final = re.compile(r"\+?[\d ()/.-]{5,}")
#: What a person may mean who names no type, in the order in which it is tried.
_NAMES: Final = ("customer_id", "cookie", "device_id")


class JourneyPeople:
    """Implements sinks.page.people.People with the configured policy, catalogue and rules."""

    def __init__(
        self, where: ClickHouse, policy: IdentityPolicy, catalogue: Catalogue, session_gap: int
    ) -> None:
        self._where = where
        self._policy = policy
        self._catalogue = catalogue
        self._session_gap = session_gap

    def find(self, tenant: str, asked: str) -> str:
        """The profile id of whom a person names. Raises UnknownPersonError."""
        for name in meanings(asked):
            try:
                return self._look_up(tenant, name).profile_id
            except UnknownPersonError as error:
                unknown = error
        raise (
            unknown
            if _TYPED.match(asked)
            else UnknownPersonError(f"nobody is known by {asked[:200]} in tenant {tenant}")
        )

    def describe(self, tenant: str, profile: str) -> Described:
        """Everything about a profile, or about the one that it was merged into. Raises UnknownPersonError."""
        if not profile:
            raise UnknownPersonError("the address names no person")
        facts = self._look_up(tenant, f"{PROFILE}:{profile}")
        found = context(facts, self._catalogue, self._session_gap, _now())
        touches = tuple(self._touch(touch) for touch in facts.touches)
        return Described(document(found, hints(found)), touches)

    def _look_up(self, tenant: str, asked: str) -> Facts:
        return look_up(self._where, self._policy.for_tenant(tenant), tenant, asked, _now())

    def _touch(self, touch: Any) -> dict[str, Any]:
        kind = self._catalogue.type(touch.type)
        moment = "order" if kind.effect == "order_placed" and kind.moment != "ouch" else kind.moment or ""
        return {
            "at": touch.at, "type": touch.type, "channel": touch.channel, "issue_id": touch.issue_id,
            "component": kind.component, "direction": kind.direction, "moment": moment, "friction": kind.friction,
        }  # fmt: skip


def meanings(asked: str) -> Iterator[str]:
    """TYPE:VALUE for each thing that a person may have meant, the likeliest first."""
    if _TYPED.match(asked):
        yield asked
        return
    if "@" in asked:
        yield f"email:{asked}"
        return
    if _PHONE.fullmatch(asked):
        yield f"phone:{asked}"
    yield f"{PROFILE}:{asked}"
    for name in _NAMES:
        yield f"{name}:{asked}"


def _now() -> int:
    return time.time_ns() // 1_000_000
