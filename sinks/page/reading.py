"""What pages show, read through the shared answers: panels, people, and the choices of the filter bar."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from schemas.errors import TouchlineError
from sinks.clickhouse.read.asking import Asking, Row
from sinks.page.answers import SHARED_SECONDS, Answers
from sinks.page.asked import asked, statement
from sinks.page.filters import Filters
from sinks.page.hub import Hub
from sinks.page.panels import Panel
from sinks.page.people import Described, People
from sinks.page.timeline import TIMELINE, timeline

#: Seconds that a person's page waits until ClickHouse has the state that Kafka told of, and between two looks.
LOADED_SECONDS: Final = 4.0
LOOK_SECONDS: Final = 0.04
#: Seconds for which lists of choices are kept: new channels are rare.
CHOICES_SECONDS: Final = 30.0

_TENANTS: Final = "SELECT DISTINCT toString(tenant) AS tenant FROM journeys ORDER BY tenant LIMIT 1000"
_VERSION: Final = (
    "SELECT version FROM journeys WHERE tenant = %(tenant)s AND profile_id = toUUIDOrZero(%(profile)s)"
)
#: Both kinds of run must have ended once. A day: nothing was ever reconciled.
_BEHIND: Final = "SELECT if(count() < 2, 86400, max(seconds_ago)) AS seconds FROM reconciled"
_CHOICES: Final = """
    SELECT arraySort(groupUniqArrayArray(100)(arrayMap(name -> toString(name), mapKeys(channels)))) AS channel,
        arraySort(groupUniqArrayIf(100)(toString(last_campaign), last_campaign != '')) AS campaign,
        arraySort(groupUniqArrayIf(100)(account_id, account_id != '')) AS account,
        arraySort(groupUniqArrayIf(100)(toString(stage), stage != '')) AS stage,
        arraySort(groupUniqArrayArray(100)(arrayMap((name, variant) -> concat(name, '=', variant),
            mapKeys(experiments), mapValues(experiments)))) AS experiment
    FROM journeys WHERE tenant = %(tenant)s"""
_SOURCES: Final = """
    SELECT arraySort(groupUniqArray(100)(toString(source))) AS source FROM touchpoints_current
    WHERE tenant = %(tenant)s AND occurred_at >= %(since)s"""


@dataclass(frozen=True)
class Part:
    """The answer to a panel."""

    rows: list[Row]
    at: int  #: when ClickHouse was asked, UTC ms
    age_seconds: float  #: since then: what Kafka told of later may be missing
    next_seconds: float  #: until a newer answer can be had
    #: How far reconciliation was behind the answer: what was loaded in these seconds may show the owner of before.
    behind_seconds: float


class Reading:
    """Asks ClickHouse on behalf of all viewers. Methods raise what `connect` raises."""

    def __init__(self, asking: Asking, people: People, hub: Hub) -> None:
        self._asking = asking
        self._people = people
        self._hub = hub
        self._answers = Answers()

    async def part(self, panel: Panel, tenant: str, query: Mapping[str, str]) -> Part:
        """A panel's rows, as narrowed by a request's query."""
        question = asked(panel, tenant, query)

        async def produce() -> tuple[int, float, list[Row]]:
            behind = await self.behind()
            at = _now()
            sql, values = statement(panel, question, datetime.now(UTC))
            return at, behind, await self._asking.rows(sql, values)

        answer = await self._answers.get(question, produce)
        at, behind, rows = answer.get()
        return Part(rows, at, (_now() - at) / 1000, self._answers.remaining(answer), behind)

    async def behind(self) -> float:
        """Seconds of what was loaded last whose owners and profiles may still be those of before."""
        rows = await self._shared("behind", _BEHIND, {}, SHARED_SECONDS)
        return float(rows[0]["seconds"])

    async def tenants(self) -> list[str]:
        """All tenants that have a journey."""
        return [row["tenant"] for row in await self._shared("tenants", _TENANTS, {})]

    async def choices(self, tenant: str, chosen: Filters) -> dict[str, list[str]]:
        """The values that each filter may take, sources those of the time range; none if ClickHouse does not answer."""
        since = chosen.parameters(datetime.now(UTC))["since"]
        try:
            known = await self._shared(("choices", tenant), _CHOICES, {"tenant": tenant})
            sources = await self._shared(
                ("sources", tenant, chosen.range), _SOURCES, {"tenant": tenant, "since": since}
            )
        except TouchlineError:
            return {}
        return {**known[0], **sources[0]}

    async def find(self, tenant: str, who: str) -> str:
        """The profile whom an identifier names. Raises UnseenError."""
        return str(await self._asking.run(self._people.find, tenant, who))

    async def person(self, tenant: str, profile: str) -> Described:
        """Everything about a person, once ClickHouse has the newest state that was published. Raises UnseenError."""
        await self._loaded(tenant, profile)
        found: Described = await self._asking.run(self._people.describe, tenant, profile)
        return found

    def person_values(self, described: Described) -> dict[str, Any]:
        """What the template of a person needs."""
        return {
            "document": described.document,
            "state": described.document["state"],
            "rows": timeline(described.touches),
            "panel": TIMELINE,
            "now": _now(),
        }

    async def _loaded(self, tenant: str, profile: str) -> None:
        """Wait until ClickHouse has the state that Kafka told of lately: a state's row, or that it is gone."""
        until = time.monotonic() + LOADED_SECONDS
        while (expected := self._hub.expected(tenant, profile)) is not None and time.monotonic() < until:
            rows = await self._asking.rows(_VERSION, {"tenant": tenant, "profile": profile})
            if (not rows and self._hub.gone(tenant, profile)) or (rows and rows[0]["version"] >= expected):
                return
            await asyncio.sleep(LOOK_SECONDS)

    async def _shared(
        self, key: Any, sql: str, values: Mapping[str, Any], seconds: float = CHOICES_SECONDS
    ) -> list[Row]:
        async def produce() -> list[Row]:
            return await self._asking.rows(sql, values)

        answer = await self._answers.get(key, produce, seconds)
        rows: list[Row] = answer.get()
        return rows


def _now() -> int:
    return time.time_ns() // 1_000_000
