"""The native core reads a touchpoint as the codec does, or leaves it to the codec. Errors are always the codec's."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.encoding.codec import HEADER_BYTES, UNWALKED_BYTES, decode, header
from schemas.encoding.record_types import RESOLVED_TOUCHPOINT, TOUCHPOINT
from schemas.errors import ContractError
from schemas.records import Identifier, ResolvedTouchpoint, Touchpoint
from streams.runtime.native_core import installed_core
from tests.support.journeys import touchpoint
from tests.support.journeys_of import touchpoints
from tests.support.native import core, law_of_both, needs_native

pytestmark = needs_native

texts = st.text(max_size=8)


@st.composite
def any_touchpoint(draw: st.DrawFn) -> Touchpoint:
    """One with texts, numbers and maps of every kind."""
    return draw(touchpoints()) | {  # type: ignore[return-value]
        "source": draw(texts),
        "occurred_at": draw(st.integers(-(2**63), 2**63 - 1)),
        "sentiment": draw(st.none() | st.floats()),
        "attributes": draw(st.dictionaries(texts, texts, max_size=4)),
        "identifiers": draw(st.lists(st.builds(Identifier, type=texts, value=texts), max_size=3)),
        "link": draw(st.sampled_from(["OBSERVED", "ASSERTED"])),
    }


def read(data: bytes) -> Any:
    """What comes of it: a record, or the reason and the sentence of a refusal."""
    try:
        return repr(decode(data))  # NaN is not equal to itself
    except ContractError as error:
        return error.reason, str(error)


def resolved(item: Touchpoint) -> bytes:
    return RESOLVED_TOUCHPOINT.encode(
        ResolvedTouchpoint(
            identifier={"type": "cookie", "value": "é"}, profile_id="p1", version=-1, touchpoint=item
        )
    )


@law_of_both
@given(any_touchpoint())
def test_every_touchpoint_is_read_natively_and_as_the_codec_reads_it(item: Touchpoint) -> None:
    for data in (TOUCHPOINT.encode(item), resolved(item)):
        found = installed_core().read_record(data)
        assert repr(found) == read(data)


@law_of_both
@given(any_touchpoint(), st.data())
def test_damaged_records_are_read_or_refused_as_the_codec_does(item: Touchpoint, data: st.DataObject) -> None:
    whole = data.draw(st.sampled_from([TOUCHPOINT.encode(item), resolved(item)]))
    damaged = bytearray(whole + data.draw(st.binary(max_size=2)))
    for _ in range(data.draw(st.integers(0, 4))):
        at = data.draw(st.integers(HEADER_BYTES, len(damaged) - 1))
        damaged[at] = data.draw(st.sampled_from([0, 1, 2, 3, 0x7F, 0x80, 0xFF]) | st.integers(0, 255))
    sent = bytes(damaged[: data.draw(st.integers(len(damaged) - 3, len(damaged)))])
    defined = read(sent)
    with core(native=True):
        assert read(sent) == defined


@law_of_both
@given(st.binary(max_size=60))
def test_random_bytes_are_refused_with_the_codecs_words(data: bytes) -> None:
    for sent in (data, header("Touchpoint") + data, header("ResolvedTouchpoint") + data):
        defined = read(sent)
        with core(native=True):
            assert read(sent) == defined


@pytest.mark.parametrize(
    "damage",
    [
        (b"\x04\x02a\x02b\x02a\x02c\x00", "a name twice in a map"),
        (b"\x02\x02a\x02b\x02\x02c\x02d\x00", "a map in two blocks"),
        (b"\x82\x00\x02a\x02b\x00", "a number longer than it needs to be"),
        (b"\x02\x02a\x02\xff\x00", "a text that is not UTF-8"),
        (b"\x02\x02a\x06\xed\xa0\x80\x00", "half a surrogate pair"),
        (b"\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01\x00", "more items than there are bytes"),
    ],
    ids=lambda damage: damage[1],
)
def test_what_hostile_sources_write_is_read_or_refused_as_the_codec_does(damage: tuple[bytes, str]) -> None:
    plain = TOUCHPOINT.encode(touchpoint(attributes={}))
    sent = plain[:-1] + damage[0]
    defined = read(sent)
    with core(native=True):
        assert read(sent) == defined


def test_a_large_record_is_left_to_the_codec_which_counts_its_items_first() -> None:
    large = TOUCHPOINT.encode(touchpoint(attributes={"a": "x" * UNWALKED_BYTES}))
    assert installed_core().read_record(large) is None
    with core(native=True):
        assert TOUCHPOINT.decode(large)["attributes"]["a"] == "x" * UNWALKED_BYTES
