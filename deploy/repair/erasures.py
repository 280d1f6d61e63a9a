"""The identifiers that an erasure concerns, and the wait for its receipt."""

import time
from collections.abc import Callable
from typing import Final

from schemas.errors import UnavailableError
from schemas.records import Identifier
from schemas.settings import Settings
from sinks.clickhouse.erasure.receipts import Receipt, receipt_of
from sinks.clickhouse.read.subject import Subject
from streams.identity.resolution.definition import own_profile
from streams.identity.resolution.ownership import node_of

POLL_SECONDS: Final = 0.5


def identifiers_of_person(
    subject: Subject, tenant: str, asked: Identifier, until: int
) -> list[tuple[Identifier, int]]:
    """The identifiers of the person behind one, and up to when each is erased (UTC ms).

    A shared one is erased up to the last millisecond in which it was theirs alone.
    """
    profile = subject.owner(node_of(asked)) or own_profile(tenant, node_of(asked))
    held = {(one.type, one.value): one.until for one in subject.held_by(profile)}
    held.setdefault(node_of(asked), None)
    return [
        (Identifier(type=kind, value=value), until if shared is None else min(until, shared - 1))
        for (kind, value), shared in sorted(held.items(), key=lambda item: item[0])
    ]


def targets_of(
    subject: Subject, tenant: str, known_as: list[Identifier], until: int, *, person: bool
) -> list[tuple[Identifier, int]]:
    """What to erase, each up to when (UTC ms): these identifiers or, with `person`, those of the people behind them."""
    if not person:
        return [(one, until) for one in known_as]
    found = [target for one in known_as for target in identifiers_of_person(subject, tenant, one, until)]
    return [target for place, target in enumerate(found) if target not in found[:place]]


def await_receipt(
    settings: Settings,
    tenant: str,
    request_id: str,
    deadline: float,
    timeout: float,
    tell: Callable[[str], object],
) -> Receipt:
    """The receipt of an erasure that is carried out, awaited until `deadline` (seconds on the monotonic clock).

    Calls `tell` with what the erasure waits for. Raises UnavailableError, whose sentence names `timeout` (seconds).
    """
    waits_for = "the workers"
    while True:
        for receipt in receipt_of(settings.clickhouse(), tenant, request_id):
            if receipt.done:
                return receipt
            waits_for = receipt.waits_for
        tell(waits_for)
        if time.monotonic() >= deadline:
            raise UnavailableError(
                f"no receipt after {timeout:g} s: the erasure waits for {waits_for}. The request stands and will be"
                " carried out: are a worker and a loader running? Its receipt will be in erasure_receipts, request_id"
                f" {request_id}"
            )
        time.sleep(POLL_SECONDS)
