"""Under which pseudonymisation keys the stored values are."""

from datetime import datetime
from typing import Final, NamedTuple

from schemas.settings import ClickHouse
from sinks.clickhouse.read.query import select

#: A value is known under both keys once a touchpoint carried pseudonyms of its type under both.
_USES: Final = """
    SELECT key, type, count(), countIf(shared), if(countIf(NOT shared) = 0, NULL, maxIf(seen, NOT shared))
    FROM (
        SELECT
            tenant, one.type AS type, one.value AS value, splitByChar(':', value)[2] AS key,
            max(arrayExists(
                other -> other.type = type AND startsWith(other.value, 'hmac:')
                    AND splitByChar(':', other.value)[2] != key,
                identifiers
            )) AS shared,
            max(occurred_at) AS seen
        FROM raw_touchpoints
        ARRAY JOIN identifiers AS one
        WHERE startsWith(one.value, 'hmac:')
        GROUP BY tenant, type, value
    )
    GROUP BY key, type
    ORDER BY key, type"""


class Use(NamedTuple):
    """What is stored under one key, of one type of identifier."""

    key_id: str
    type: str
    values: int
    shared: int  #: of these, known under another key, too
    alone_last: datetime | None  #: when one of the others was seen last, event time; None if there is none


def uses(where: ClickHouse) -> list[Use]:
    """By key and type. Raises TouchlineError if ClickHouse cannot say."""
    return [Use(*row) for row in select(where, _USES)[1]]  # type: ignore[arg-type]  # rows are untyped
