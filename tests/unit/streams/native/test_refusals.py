"""What the native core does not cover it refuses before it folds anything, and Python folds it: the result is equal."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.encoding.codec import HEADER_BYTES, header, long_bytes
from schemas.encoding.record_types import RESOLVED_TOUCHPOINT
from schemas.records import Identifier, ResolvedTouchpoint, Touchpoint
from streams.journeys.state.fold import Fold
from streams.journeys.state.native_fold import NativeFold, native_fold
from streams.journeys.timeline.timeline import Timeline
from tests.support.journeys import CATALOGUE, RULES, touchpoint
from tests.support.journeys_of import give, journeys
from tests.support.native import core, law_of_both, needs_native

pytestmark = needs_native


def fold() -> NativeFold:
    with core(native=True):
        found = native_fold(CATALOGUE, RULES)
    assert found is not None
    return found


def encoded(item: Touchpoint) -> bytes:
    return RESOLVED_TOUCHPOINT.encode(
        ResolvedTouchpoint(identifier=item["identifiers"][0], profile_id="p1", version=3, touchpoint=item)
    )


def told(item: Touchpoint, **fields: Any) -> Touchpoint:
    return item | fields  # type: ignore[return-value]


@pytest.mark.parametrize(
    "fields",
    [
        {"occurred_at": 2**51 + 1}, {"occurred_at": -(2**62)}, {"sentiment": float("nan")},
        {"sentiment": float("inf")}, {"score": {"kind": "NPS", "value": float("-inf")}}, {"currency": "E U"},
        {"currency": "EURO"},
    ],
)  # fmt: skip
def test_values_that_it_could_not_count_exactly_are_refused_and_nothing_is_folded(
    fields: dict[str, Any],
) -> None:
    folded = fold()
    plain = encoded(touchpoint(minute=1))
    assert not folded.advance_all([plain, encoded(told(touchpoint(minute=2), **fields))])
    assert folded.advance_all([plain])
    assert folded.state("default", "p1", 1)["touchpoints"] == 1


def test_a_journey_with_such_a_value_is_folded_by_python_and_equal() -> None:
    items = [
        touchpoint(minute=1),
        touchpoint(minute=2, currency="EURO", amount_minor=5),
        touchpoint(minute=0),
    ]
    defined, native = Timeline("default", "p1"), Timeline("default", "p1")
    for item in items:
        give(defined, item)
        give(native, item)
        with core(native=True):
            sealed = native.sealed(CATALOGUE, RULES)[1]
        assert sealed == defined.sealed(CATALOGUE, RULES)[1]
    with core(native=True):
        assert isinstance(native.fold(CATALOGUE, RULES), Fold)


def test_another_schema_is_refused() -> None:
    plain = encoded(touchpoint())
    assert not fold().advance_all([header("Touchpoint") + plain[HEADER_BYTES:]])


def test_an_array_in_a_block_with_its_size_is_refused() -> None:
    plain = encoded(touchpoint(identifiers=[Identifier(type="cookie", value="c1")]))
    item = b"\x0ccookie\x04c1"
    sized = plain.replace(b"\x02" + item + b"\x00", long_bytes(-1) + long_bytes(len(item)) + item + b"\x00")
    assert len(sized) == len(plain) + 1
    assert not fold().advance_all([sized])


@law_of_both
@given(st.binary(max_size=200))
def test_random_bytes_are_refused(data: bytes) -> None:
    assert not fold().advance_all([data])
    assert not fold().advance_all([header("ResolvedTouchpoint") + data])


@law_of_both
@given(journeys, st.data())
def test_what_it_takes_of_damaged_records_python_reads_as_the_same_touchpoint(
    journey: list[Touchpoint], data: st.DataObject
) -> None:
    value = bytearray(encoded(journey[0]))
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(HEADER_BYTES, len(value) - 1))
        value[at] = data.draw(st.integers(0, 255))
    cut = bytes(value[: data.draw(st.integers(len(value) - 2, len(value)))])
    folded = fold()
    if not folded.advance_all([cut]):
        return
    resolved = RESOLVED_TOUCHPOINT.decode(cut)
    defined = Fold(CATALOGUE, RULES)
    defined.advance(resolved["touchpoint"], resolved["identifier"])
    assert folded.sealed("default", "p1", 1)[1] == defined.sealed("default", "p1", 1)[1]
