"""The one decision on a touchpoint in JSON."""

import json
from typing import Any

import pytest

from schemas.catalogue import Catalogue
from schemas.encoding.codec import MAX_BYTES
from schemas.encoding.record_types import TOUCHPOINT
from schemas.errors import ContractError, Reason
from schemas.touchpoint.intake import ACCEPTED_BYTES, MAX_JSON_BYTES, accept, read_touchpoint
from streams.identity.policy.load import load
from streams.identity.policy.prepare import prepare
from tests.support.touchpoints import START, touchpoint

LEAST: dict[str, Any] = {
    "event_id": "e1", "occurred_at": START, "source": "test", "channel": "web", "type": "product_view",
    "identifiers": {"cookie": "a"},
}  # fmt: skip


def reason(value: object) -> Reason:
    with pytest.raises(ContractError) as refused:
        accept(value, START)
    return refused.value.reason


def test_the_bytes_of_one_value_become_a_touchpoint() -> None:
    assert read_touchpoint(json.dumps(LEAST).encode(), START) == touchpoint()
    assert read_touchpoint(json.dumps(LEAST), START) == accept(LEAST, START)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"identifiers": []}, Reason.NO_IDENTIFIER),
        ({"sentiment": 2}, Reason.INVALID),
        ({"sentiment": float("nan")}, Reason.INVALID),
        ({"attributes": {"a": float("inf")}}, Reason.INVALID),
        ({"attributes": {"a": 10**5000}}, Reason.INVALID),
        ({"event_id": 10**5000}, Reason.INVALID),
        ({"event_id": "\ud83d"}, Reason.INVALID),
        ({"occurred_at": START + 10**8 + 1}, Reason.FUTURE_TIME),
        ({"attributes": {"a": "x" * 8193}}, Reason.TOO_LARGE),
    ],
)
def test_every_rule_holds_for_values_that_come_from_elsewhere(
    change: dict[str, Any], expected: Reason
) -> None:
    assert reason({**LEAST, "received_at": START, **change}) is expected


def test_more_bytes_than_a_touchpoint_can_have_are_refused_unread() -> None:
    with pytest.raises(ContractError, match="longer than") as refused:
        read_touchpoint(b" " * (MAX_JSON_BYTES + 1), START)
    assert refused.value.reason is Reason.TOO_LARGE


def test_what_is_taken_is_never_too_large_once_it_is_prepared() -> None:
    """Pseudonyms are longer than what they stand for: 32 short addresses more than a kilobyte."""
    ids = [("email", f"{number}@a.de") for number in range(32)]
    most = dict.fromkeys((f"a{number}" for number in range(ACCEPTED_BYTES // 8200)), "x" * 8192)
    filler = ACCEPTED_BYTES - len(TOUCHPOINT.encode(touchpoint(ids=ids, attributes={**most, "rest": ""})))
    largest = touchpoint(ids=ids, attributes={**most, "rest": "x" * (filler - 1)})
    assert len(TOUCHPOINT.encode(largest)) == ACCEPTED_BYTES
    assert accept({**largest, "attributes": largest["attributes"]}, START) == largest
    _, prepared = prepare(largest, load("", b"0123456789abcdef" * 4, "k" * 32), Catalogue.load())
    assert ACCEPTED_BYTES < len(TOUCHPOINT.encode(prepared)) <= MAX_BYTES
    largest["attributes"]["rest"] += "x"
    assert reason(largest) is Reason.TOO_LARGE
