"""Tells open pages what changed: changes are collected, not queued, so a slow page costs no memory."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

#: Profiles that one message names; when more changed, it names none and every open person is asked for again.
MAX_PROFILES: Final = 100
#: Profiles whose newest version is remembered, so that a page waits until ClickHouse has it.
REMEMBERED: Final = 20_000
#: Seconds for which a version is remembered: by then ClickHouse has it, or is away.
REMEMBERED_SECONDS: Final = 30.0


@dataclass
class Pending:
    """What happened since the last message to one page."""

    kinds: set[str] = field(default_factory=set)
    profiles: set[str] | None = field(default_factory=set)  #: None: too many to name
    health: dict[str, bool] | None = None

    def message(self) -> dict[str, Any]:
        """The message, for JSON."""
        named = None if self.profiles is None else sorted(self.profiles)
        told: dict[str, Any] = {"kinds": sorted(self.kinds), "profiles": named}
        return told if self.health is None else {**told, "health": self.health}


class Subscription:
    """One open page (or one browser's shared connection) that looks at one tenant."""

    def __init__(self, tenant: str) -> None:
        self.tenant = tenant
        self._pending = Pending()
        self._news = asyncio.Event()

    def note(self, kind: str, profiles: tuple[str, ...]) -> None:
        """Collect one change."""
        pending = self._pending
        pending.kinds.add(kind)
        if pending.profiles is not None:
            pending.profiles.update(profiles)
            if len(pending.profiles) > MAX_PROFILES:
                pending.profiles = None
        self._news.set()

    def tell_health(self, health: dict[str, bool]) -> None:
        """Collect a change of health; the newest counts."""
        self._pending.health = dict(health)
        self._news.set()

    async def take(self, patience: float) -> Pending | None:
        """What happened since the last call, as soon as something has; None after `patience` seconds of nothing."""
        try:
            await asyncio.wait_for(self._news.wait(), patience)
        except TimeoutError:
            return None
        self._news.clear()
        taken, self._pending = self._pending, Pending()
        return taken


class Hub:
    """All open pages, and the health of what the page reads. One event loop; `clock` is monotonic, in seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.health: dict[str, bool] = {"clickhouse": True, "kafka": True}
        self.closed = False  #: whether the server ends: then streams do
        self._clock = clock
        self._subscriptions: set[Subscription] = set()
        #: (tenant, profile) → version of its newest state, when it was told, and whether it says that it is gone
        self._newest: OrderedDict[tuple[str, str], tuple[int, float, bool]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._subscriptions)

    @contextmanager
    def subscribe(self, tenant: str) -> Iterator[Subscription]:
        """A subscription for as long as the block runs; its first message is the present health."""
        subscription = Subscription(tenant)
        subscription.tell_health(self.health)
        self._subscriptions.add(subscription)
        try:
            yield subscription
        finally:
            self._subscriptions.discard(subscription)

    def note(
        self, kind: str, tenant: str | None, *profiles: str, version: int | None = None, gone: bool = False
    ) -> None:
        """Something changed in a tenant (None: in no tenant's data, like a dead letter).

        `version` is that of the profile's newest state; `gone` says that this is none: it was merged or erased.
        """
        if tenant is not None and version is not None:
            for profile in profiles:
                self._remember(tenant, profile, version, gone)
        for subscription in self._subscriptions:
            if tenant is None or subscription.tenant == tenant:
                subscription.note(kind, profiles)

    def expected(self, tenant: str, profile: str) -> int | None:
        """The version of a profile's newest state if it was published lately: ClickHouse may not have it yet."""
        version, at, _ = self._newest.get((tenant, profile), (0, -REMEMBERED_SECONDS, False))
        return version if version and self._clock() - at < REMEMBERED_SECONDS else None

    @property
    def remembered(self) -> int:
        """Of how many profiles the newest version is remembered."""
        return len(self._newest)

    def gone(self, tenant: str, profile: str) -> bool:
        """Whether the newest that was told of a profile is that it has no state any more."""
        return self._newest.get((tenant, profile), (0, 0.0, False))[2]

    def set_health(self, part: str, *, well: bool) -> None:
        """Note whether a part answers; open pages are told when that changes."""
        if self.health[part] != well:
            self.health[part] = well
            for subscription in self._subscriptions:
                subscription.tell_health(self.health)

    def close(self) -> None:
        """End every stream of changes."""
        self.closed = True
        for subscription in self._subscriptions:
            subscription.tell_health(self.health)

    def _remember(self, tenant: str, profile: str, version: int, gone: bool) -> None:
        key = tenant, profile
        known = self._newest.pop(key, (0, 0.0, False))
        newest = (version, self._clock(), gone) if version >= known[0] else known
        self._newest[key] = newest
        if len(self._newest) > REMEMBERED:
            self._newest.popitem(last=False)
