"""A touchpoint is stitched on the partition of its identifier only, whatever header its source has set."""

import pytest

from schemas import headers
from schemas.encoding.record_types import TOUCHPOINT
from schemas.errors import ContractError, Reason
from schemas.keys import identifier_key, partition_of
from streams.runtime.transaction import FetchTransaction
from streams.stitch.agent import Stitch
from streams.stitch.stitching import StitchState
from tests.support.agents import Record, worker_app
from tests.support.built_in import CATALOGUE, POLICY
from tests.support.touchpoints import START, touchpoint
from tests.support.transactions import transaction_over

PARTITIONS = 4
EVENT = touchpoint()
KEY = identifier_key("default", EVENT["identifiers"][0])
HOME = partition_of(KEY, PARTITIONS)
SENT_ON = ((headers.ROUTED, b"1"),)


def taken(partition: int, *, sent_on: bool) -> tuple[bool, FetchTransaction[StitchState]]:
    """Whether the touchpoint is stitched on this partition, and what is published of it."""
    app = worker_app(partitions=PARTITIONS)
    stitch = Stitch(app, POLICY, CATALOGUE, clock=lambda: START / 1000)
    fetch = transaction_over(app, StitchState(), partition)
    record = Record(
        partition=partition, key=KEY, value=TOUCHPOINT.encode(EVENT), headers=SENT_ON if sent_on else ()
    )
    return stitch.accept(record, fetch, set()) is not None, fetch


@pytest.mark.parametrize("sent_on", [False, True])
def test_on_its_own_partition_it_is_stitched_with_the_header_too(sent_on: bool) -> None:
    stitched, _ = taken(HOME, sent_on=sent_on)
    assert stitched


@pytest.mark.parametrize("partition", [one for one in range(PARTITIONS) if one != HOME])
def test_on_another_partition_it_is_sent_on(partition: int) -> None:
    stitched, fetch = taken(partition, sent_on=False)

    assert not stitched
    (((topic, home), ((key, _, sent_with),)),) = fetch.outputs.records.items()
    assert (topic, home, key, sent_with) == ("touchpoints", HOME, KEY, [*SENT_ON])


@pytest.mark.parametrize("partition", [one for one in range(PARTITIONS) if one != HOME])
def test_a_source_that_says_that_it_was_sent_on_keeps_it_on_no_foreign_partition(partition: int) -> None:
    with pytest.raises(ContractError, match="is not its own") as refused:
        taken(partition, sent_on=True)
    assert refused.value.reason is Reason.INVALID
