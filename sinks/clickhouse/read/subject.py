"""Everything about one person: look up an identifier, count rows before an erasure, answer an access request."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from clickhouse_driver import Client

from schemas.settings import ClickHouse
from sinks.clickhouse.connection import connect, translated
from sinks.clickhouse.read.query import read_only

_Node = tuple[str, str]

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

# A profile that a person names may be no UUID: toUUIDOrZero makes it one that nobody has.

#: The identifiers that own touchpoints which were not erased, or that have links.
_SEEN: Final = """
    SELECT identifier_type, identifier_value FROM touchpoints_current
    WHERE tenant = %(tenant)s AND (identifier_type, identifier_value) IN %(nodes)s
    UNION DISTINCT
    SELECT left_type, left_value FROM raw_identity_links
    WHERE tenant = %(tenant)s AND (left_type, left_value) IN %(nodes)s
    UNION DISTINCT
    SELECT right_type, right_value FROM raw_identity_links
    WHERE tenant = %(tenant)s AND (right_type, right_value) IN %(nodes)s"""
_OWNER: Final = """
    SELECT if(contested_from IS NULL, profile_id, contested_profile_id) FROM identity_current
    WHERE tenant = %(tenant)s AND identifier_type = %(type)s AND identifier_value = %(value)s"""
_MERGED: Final = """
    SELECT profile_id FROM profile_changes FINAL
    WHERE tenant = %(tenant)s AND kind = 'MERGED' AND has(others, toUUIDOrZero(%(profile)s))
    ORDER BY version DESC LIMIT 1"""
_EXISTS: Final = (
    "SELECT 1 FROM journeys WHERE tenant = %(tenant)s AND profile_id = toUUIDOrZero(%(profile)s) LIMIT 1"
)
_HELD: Final = """
    SELECT identifier_type, identifier_value, contested_from FROM identity_current
    WHERE tenant = %(tenant)s AND profile_id = toUUIDOrZero(%(profile)s)
    UNION DISTINCT
    SELECT identifier_type, identifier_value, NULL FROM touchpoints_current
    WHERE tenant = %(tenant)s AND profile_id = toUUIDOrZero(%(profile)s)"""
_UNTIL: Final = "occurred_at <= fromUnixTimestamp64Milli(%(until)s)"
_COUNTS: Final = f"""
    SELECT
        (SELECT count() FROM raw_touchpoints FINAL WHERE tenant = %(tenant)s AND {_UNTIL}
            AND identifier_type = %(type)s AND identifier_value = %(value)s) AS touchpoints,
        (SELECT count() FROM raw_identity_links FINAL WHERE tenant = %(tenant)s AND {_UNTIL}
            AND ((left_type = %(type)s AND left_value = %(value)s)
                OR (right_type = %(type)s AND right_value = %(value)s))) AS identity_links,
        (SELECT count() FROM raw_touchpoints FINAL WHERE tenant = %(tenant)s AND {_UNTIL}
            AND NOT (identifier_type = %(type)s AND identifier_value = %(value)s)
            AND has(identifiers, (%(type)s, %(value)s))) AS touchpoints_of_others"""  # noqa: S608 (constants)

#: Section of the answer to an access request → the query of its rows, without the columns of Kafka offsets.
_EVERYTHING: Final = {
    "identifiers": """
        SELECT identifier_type, identifier_value, profile_id, contested_from, contested_profile_id,
            event_id, occurred_at
        FROM identity_current WHERE tenant = %(tenant)s AND (identifier_type, identifier_value) IN %(nodes)s
        ORDER BY identifier_type, identifier_value""",
    "evidence": """
        SELECT left_type, left_value, right_type, right_value, kind, occurred_at, event_id, source
        FROM identity_links_current
        WHERE tenant = %(tenant)s
            AND ((left_type, left_value) IN %(nodes)s OR (right_type, right_value) IN %(nodes)s)
        ORDER BY occurred_at, event_id, left_type, left_value, right_type, right_value""",
    "corrections": """
        SELECT kind, left_type, left_value, right_type, right_value, occurred_at, event_id, source
        FROM identity_corrections FINAL
        WHERE tenant = %(tenant)s
            AND ((left_type, left_value) IN %(nodes)s OR (right_type, right_value) IN %(nodes)s)
        ORDER BY occurred_at, event_id""",
    "touchpoints": """
        SELECT * FROM touchpoints_current WHERE tenant = %(tenant)s AND profile_id = toUUIDOrZero(%(profile)s)
        ORDER BY occurred_at, event_id""",
    "journey": "SELECT * FROM journeys WHERE tenant = %(tenant)s AND profile_id = toUUIDOrZero(%(profile)s)",
    "signals": """
        SELECT * EXCEPT (source_topic, source_partition, source_offset, loaded_at) FROM raw_journey_signals FINAL
        WHERE tenant = %(tenant)s AND profile_id = toUUIDOrZero(%(profile)s) ORDER BY occurred_at, signal_id""",
    "profile_changes": """
        SELECT kind, profile_id, others, rule, event_id, occurred_at FROM profile_changes FINAL
        WHERE tenant = %(tenant)s AND (profile_id = toUUIDOrZero(%(profile)s) OR has(others, toUUIDOrZero(%(profile)s)))
        ORDER BY occurred_at, version""",
}


@dataclass(frozen=True, slots=True)
class Held:
    """An identifier of a person in its stored form: normalised, and pseudonymised if the policy says so."""

    type: str
    value: str
    until: (
        int | None
    )  #: event time, UTC ms, exclusive: from then on several people share it; None if nobody else does


class Subject:
    """Queries about the people of one tenant, over one connection: a context manager, which closes it.

    Every method raises UnavailableError, SettingsError or SinkError, as `connect` does.
    """

    def __init__(self, where: ClickHouse, tenant: str) -> None:
        self._where = where
        self._tenant = tenant
        self._client: Client = connect(where)

    def __enter__(self) -> "Subject":
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()

    def seen(self, nodes: Iterable[_Node]) -> set[_Node]:
        """Those of the identifiers (in stored form) that ClickHouse has touchpoints or links of."""
        return {(kind, value) for kind, value in self._rows(_SEEN, nodes=tuple(nodes))}

    def owner(self, node: _Node) -> str | None:
        """The profile that owns the identifier's present touchpoints; None if it has no assignment."""
        found = self._rows(_OWNER, type=node[0], value=node[1])
        return found[0][0] if found else None

    def present_profile(self, profile: str) -> str | None:
        """The profile that a profile was merged into, through any number of merges; itself if it was not merged.

        None if that profile has no journey.
        """
        followed = {profile}
        while not self._rows(_EXISTS, profile=profile):
            found = self._rows(_MERGED, profile=profile)
            if not found or found[0][0] in followed:
                return None
            profile = found[0][0]
            followed.add(profile)
        return profile

    def held_by(self, profile: str) -> list[Held]:
        """All identifiers of a profile, sorted."""
        found: dict[_Node, int | None] = {}
        for kind, value, shared in self._rows(_HELD, profile=profile):
            known = found.get((kind, value))
            found[kind, value] = known if shared is None else (shared - _EPOCH) // timedelta(milliseconds=1)
        return [
            Held(kind, value, until)
            for (kind, value), until in sorted(found.items(), key=lambda item: item[0])
        ]

    def counts(self, kind: str, value: str, until: int) -> dict[str, int]:
        """The number of rows that an erasure up to an event time (UTC ms, inclusive) would delete, by table.

        `touchpoints of others` keep their row and lose the identifier.
        """
        rows = self._rows(_COUNTS, type=kind, value=value, until=until)
        return dict(zip(("touchpoints", "identity_links", "touchpoints of others"), rows[0], strict=True))

    def everything(self, profile: str, nodes: Iterable[_Node]) -> dict[str, list[dict[str, Any]]]:
        """Every row about a profile and its identifiers, by section of `_EVERYTHING`."""
        asked = tuple(nodes) or (("", ""),)
        return {name: self._records(sql, profile=profile, nodes=asked) for name, sql in _EVERYTHING.items()}

    def _rows(self, sql: str, **values: Any) -> list[tuple[Any, ...]]:
        with translated(self._where):
            return list(
                self._client.execute(sql, {"tenant": self._tenant, **values}, settings=read_only(self._where))
            )

    def _records(self, sql: str, **values: Any) -> list[dict[str, Any]]:
        with translated(self._where):
            rows, columns = self._client.execute(
                sql,
                {"tenant": self._tenant, **values},
                settings=read_only(self._where),
                with_column_types=True,
            )
        return [dict(zip((name for name, _ in columns), row, strict=True)) for row in rows]
