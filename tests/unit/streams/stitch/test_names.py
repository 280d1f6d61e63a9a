"""The worker names touchpoints as the catalogue does, whoever wrote them into the topic."""

from typing import Any

import pytest

from schemas import topics
from schemas.catalogue import Catalogue
from schemas.encoding.record_types import IDENTITY_CORRECTION, TOUCHPOINT
from schemas.keys import identifier_key
from schemas.records import Touchpoint
from streams.stitch.agent import Stitch
from streams.stitch.stitching import StitchState
from tests.support.agents import Record, worker_app
from tests.support.built_in import CATALOGUE, POLICY
from tests.support.touchpoints import touchpoint
from tests.support.transactions import transaction_over


def placed(event: Touchpoint, catalogue: Catalogue = CATALOGUE) -> tuple[list[Touchpoint], list[Any]]:
    """What stitch passes on, and the corrections that it asks identity for."""
    app = worker_app()
    record = Record(key=identifier_key("default", event["identifiers"][0]), value=TOUCHPOINT.encode(event))
    fetch = transaction_over(app, StitchState())
    passed = Stitch(app, POLICY, catalogue).accept(record, fetch, set())
    corrections = [
        IDENTITY_CORRECTION.decode(value)
        for (topic, _), records in fetch.outputs.records.items()
        for _, value, _ in records
        if topic == topics.IDENTITY_LINKS.name
    ]
    return [] if passed is None else [TOUCHPOINT.decode(passed.value)], corrections  # type: ignore[list-item]


def test_a_type_and_a_channel_in_another_spelling_are_passed_on_under_the_catalogues_names() -> None:
    event = touchpoint(type="Order Completed", channel="Call Center", consent={"E-Mail": "DENIED"})
    ((passed,), _) = placed(event)
    assert (passed["type"], passed["channel"], passed["consent"]) == (
        "order_placed",
        "phone",
        {"e_mail": "DENIED"},
    )


@pytest.mark.parametrize("name", ["erasure_requested", "Erasure Requested", " ERASURE-REQUESTED"])
def test_an_erasure_in_any_spelling_is_asked_for_and_stored_nowhere(name: str) -> None:
    passed, corrections = placed(touchpoint(type=name))
    assert passed == []
    assert [correction["kind"] for correction in corrections] == ["ERASE"]


def test_an_alias_of_ones_own_may_ask_for_an_erasure() -> None:
    catalogue = Catalogue.parse("[aliases]\n'GDPR Delete' = 'erasure_requested'", "mine.toml", CATALOGUE)
    assert placed(touchpoint(type="gdpr-delete"), catalogue)[0] == []
    assert len(placed(touchpoint(type="gdpr-delete"))[0]) == 1
