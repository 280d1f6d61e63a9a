"""Publish touchpoints of a time range once more, beside live traffic: nothing needs to stop.

Every record goes to its original partition with its original bytes. Processing is idempotent: a record that was
processed already changes nothing.
"""

from collections.abc import Iterator

from deploy.repair.dead_letters.reading import records
from deploy.repair.dead_letters.replaying import Outgoing
from schemas import headers
from schemas.settings import Settings
from schemas.topics import TOUCHPOINTS


def again(settings: Settings, since: int, until: int) -> Iterator[Outgoing]:
    """The touchpoints published from `since` to before `until`, UTC ms, to send; repeats of earlier runs left out.

    A source that marks its own records as such repeats keeps these, and no others, from being published again.
    Raises UnavailableError and SettingsError as `records` does.
    """
    for record in records(settings, settings.topic(TOUCHPOINTS.name)):
        repeated = any(name == headers.REPLAYED for name, _ in record.headers)
        if since <= record.timestamp < until and not repeated:
            place = f"{record.topic}/{record.partition}/{record.offset}".encode()
            yield Outgoing(
                record.topic,
                record.partition,
                record.key,
                record.value,
                [*record.headers, (headers.REPLAYED, place)],
            )
