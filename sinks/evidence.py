"""The evidence around identifiers, read back from ClickHouse: what `touchline explain` reasons about."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, Final

from clickhouse_driver import Client

from schemas.errors import SinkError
from schemas.records import Identifier, IdentityLink
from schemas.settings import ClickHouse
from sinks.clickhouse import connect, translated

#: Links that one answer may be made of; a person has a handful, a call centre's number ten thousand.
MAX_LINKS: Final = 1_000_000

_AT_ONCE: Final = 500  # identifiers of one question: they stand in its text
_QUESTION_BYTES: Final = 4 * 1024 * 1024

_Node = tuple[str, str]

#: Each side has its own condition, so that the left one uses the key and the right one its index.
_LINKS: Final = """
    SELECT left_type, left_value, right_type, right_value, kind,
           tupleElement(earliest, 1), tupleElement(earliest, 2), tupleElement(earliest, 3)
    FROM (
        SELECT left_type, left_value, right_type, right_value, kind,
               min((toUnixTimestamp64Milli(occurred_at), event_id, source)) AS earliest
        FROM (
            SELECT * FROM identity_links
            WHERE tenant = %(tenant)s AND (left_type, left_value) IN %(nodes)s
            UNION ALL
            SELECT * FROM identity_links
            WHERE tenant = %(tenant)s AND right_value IN %(values)s AND (right_type, right_value) IN %(nodes)s
        )
        GROUP BY left_type, left_value, right_type, right_value, kind
    )
"""
_ASSIGNMENTS: Final = """
    SELECT identifier_type, identifier_value, profile_id, contested_profile_id
    FROM identity_assignments FINAL
    WHERE tenant = %(tenant)s AND (identifier_type, identifier_value) IN %(nodes)s
"""


def links_around(where: ClickHouse, tenant: str, nodes: Iterable[_Node]) -> list[IdentityLink]:
    """Every link of every identifier that links connect to `nodes`, the earliest event of each.

    Raises SinkError beyond MAX_LINKS, UnavailableError or SettingsError if ClickHouse cannot be asked.
    """
    found: dict[tuple[_Node, _Node, str], IdentityLink] = {}
    known = set(nodes)
    todo = sorted(known)
    client = connect(where, {"max_query_size": _QUESTION_BYTES})
    try:
        with translated(where):
            while todo:
                fresh: set[_Node] = set()
                for link in _links(client, tenant, todo):
                    left = link["left"]["type"], link["left"]["value"]
                    right = link["right"]["type"], link["right"]["value"]
                    found[left, right, link["kind"]] = link
                    fresh |= {left, right} - known
                if len(found) > MAX_LINKS:
                    raise SinkError(f"more than {MAX_LINKS} links are connected to these identifiers")
                known |= fresh
                todo = sorted(fresh)
    finally:
        client.disconnect()
    return list(found.values())


def owners(where: ClickHouse, tenant: str, nodes: Iterable[_Node]) -> dict[_Node, str]:
    """Whose identifiers are now, according to ClickHouse; those that it has no assignment of are missing."""
    client = connect(where)
    try:
        with translated(where):
            rows = client.execute(_ASSIGNMENTS, {"tenant": tenant, "nodes": tuple(nodes)})
    finally:
        client.disconnect()
    return {(type_, value): contested or profile for type_, value, profile, contested in rows}


def _links(client: Client, tenant: str, nodes: Iterable[_Node]) -> Iterator[IdentityLink]:
    remaining = iter(nodes)
    while some := tuple(islice(remaining, _AT_ONCE)):
        asked = {"tenant": tenant, "nodes": some, "values": tuple({value for _, value in some})}
        yield from (_link(tenant, *row) for row in client.execute(_LINKS, asked))


def _link(
    tenant: str,
    left_type: str,
    left_value: str,
    right_type: str,
    right_value: str,
    kind: Any,
    at: int,
    event: str,
    source: str,
) -> IdentityLink:
    return IdentityLink(
        tenant=tenant, left=Identifier(type=left_type, value=left_value),
        right=Identifier(type=right_type, value=right_value),
        occurred_at=at, kind=kind, event_id=event, source=source,
    )  # fmt: skip
