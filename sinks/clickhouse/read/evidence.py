"""The evidence around identifiers, read back from ClickHouse: what `touchline explain` reasons about."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, Final

from clickhouse_driver import Client

from schemas.errors import SinkError
from schemas.records import Identifier, IdentityCorrection, IdentityLink
from schemas.settings import ClickHouse
from sinks.clickhouse.connection import connect, translated

#: Limit of the links in one answer. A person has a handful, a call centre's number ten thousand.
MAX_LINKS: Final = 1_000_000

_AT_ONCE: Final = 500  #: identifiers of one query, whose text contains them
_QUERY_BYTES: Final = 4 * 1024 * 1024  #: limit of a query's text

_Node = tuple[str, str]

#: Two SELECTs, because the condition on the left side uses the sorting key and the one on the right side an index.
#: A pair has few rows: stitch publishes a link only if its evidence is new.
_LINKS: Final = """
    SELECT left_type, left_value, right_type, right_value, kind, toUnixTimestamp64Milli(occurred_at), event_id, source
    FROM raw_identity_links
    WHERE tenant = %(tenant)s AND (left_type, left_value) IN %(nodes)s
    UNION DISTINCT
    SELECT left_type, left_value, right_type, right_value, kind, toUnixTimestamp64Milli(occurred_at), event_id, source
    FROM raw_identity_links
    WHERE tenant = %(tenant)s AND right_value IN %(values)s AND (right_type, right_value) IN %(nodes)s
"""
_CORRECTIONS: Final = """
    SELECT DISTINCT left_type, left_value, right_type, right_value, kind, toUnixTimestamp64Milli(occurred_at),
        event_id, source
    FROM identity_corrections
    WHERE tenant = %(tenant)s AND (left_type, left_value) IN %(nodes)s
"""
_ASSIGNMENTS: Final = """
    SELECT identifier_type, identifier_value, profile_id, contested_profile_id
    FROM raw_identity_assignments FINAL
    WHERE tenant = %(tenant)s AND (identifier_type, identifier_value) IN %(nodes)s
"""


def evidence_around(
    where: ClickHouse, tenant: str, nodes: Iterable[_Node]
) -> tuple[list[IdentityLink], list[IdentityCorrection]]:
    """All links of the connected component of `nodes`, and the corrections that name its identifiers.

    Raises SinkError if there are more than MAX_LINKS, UnavailableError or SettingsError if ClickHouse does not answer.
    """
    links: list[IdentityLink] = []
    seen: set[tuple[Any, ...]] = set()
    known = set(nodes)
    todo = sorted(known)
    client = connect(where, {"max_query_size": _QUERY_BYTES})
    try:
        with translated(where):
            while todo:
                fresh: set[_Node] = set()
                for row in _rows(client, _LINKS, tenant, todo):
                    if row not in seen:
                        seen.add(row)
                        links.append(_link(tenant, *row))
                        fresh |= {row[:2], row[2:4]} - known
                if len(links) > MAX_LINKS:
                    raise SinkError(f"more than {MAX_LINKS} links are connected to these identifiers")
                known |= fresh
                todo = sorted(fresh)
            cuts = [_correction(tenant, *row) for row in _rows(client, _CORRECTIONS, tenant, sorted(known))]
    finally:
        client.disconnect()
    return links, cuts


def owners(where: ClickHouse, tenant: str, nodes: Iterable[_Node]) -> dict[_Node, str]:
    """The present owner of each identifier. The result lacks identifiers that ClickHouse has no assignment of."""
    client = connect(where)
    try:
        with translated(where):
            rows = client.execute(_ASSIGNMENTS, {"tenant": tenant, "nodes": tuple(nodes)})
    finally:
        client.disconnect()
    return {(type_, value): contested or profile for type_, value, profile, contested in rows}


def _rows(client: Client, sql: str, tenant: str, nodes: Iterable[_Node]) -> Iterator[tuple[Any, ...]]:
    remaining = iter(nodes)
    while some := tuple(islice(remaining, _AT_ONCE)):
        asked = {"tenant": tenant, "nodes": some, "values": tuple({value for _, value in some})}
        yield from client.execute(sql, asked)


def _link(
    tenant: str, left_type: str, left_value: str, right_type: str, right_value: str,
    kind: Any, at: int, event_id: str, source: str,
) -> IdentityLink:  # fmt: skip
    return IdentityLink(
        tenant=tenant, left=Identifier(type=left_type, value=left_value),
        right=Identifier(type=right_type, value=right_value),
        kind=kind, occurred_at=at, event_id=event_id, source=source,
    )  # fmt: skip


def _correction(
    tenant: str, left_type: str, left_value: str, right_type: str, right_value: str,
    kind: Any, at: int, event_id: str, source: str,
) -> IdentityCorrection:  # fmt: skip
    return IdentityCorrection(
        tenant=tenant, left=Identifier(type=left_type, value=left_value),
        right=Identifier(type=right_type, value=right_value) if right_type else None,
        kind=kind, occurred_at=at, event_id=event_id, source=source,
    )  # fmt: skip
