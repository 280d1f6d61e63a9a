"""The header traceparent: what counts as a sampled parent, and ids that a repetition does not change."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.tracing.traceparent import HEADER, Parent, parent_of, sampled_parent, span_id

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
PARENT = Parent(int(TRACE, 16), int(SPAN, 16))
ids = st.builds(Parent, st.integers(1, 2**128 - 1), st.integers(1, 2**64 - 1))


@given(ids)
def test_a_header_that_we_write_is_read_as_what_it_says(parent: Parent) -> None:
    assert sampled_parent(parent.header) == parent


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (f"00-{TRACE}-{SPAN}-01", PARENT),
        (f"00-{TRACE}-{SPAN}-03", PARENT),  # another flag beside "sampled"
        (f"cc-{TRACE}-{SPAN}-01-what the future brings", PARENT),
        (f"00-{TRACE}-{SPAN}-00", None),  # not sampled
        (f"00-{TRACE}-{SPAN}-01-more", None),  # version 0 has nothing more
        (f"ff-{TRACE}-{SPAN}-01", None),
        (f"00-{'0' * 32}-{SPAN}-01", None),
        (f"00-{TRACE}-{'0' * 16}-01", None),
        (f"00-{TRACE.upper()}-{SPAN}-01", None),
        (f"00-{TRACE}-{SPAN}", None),
        ("", None),
    ],
)
def test_a_parent_is_what_the_w3c_says(value: str, found: Parent | None) -> None:
    assert sampled_parent(value.encode()) == found


@given(st.binary())
def test_whatever_anybody_writes_is_read_without_an_error(value: bytes) -> None:
    assert sampled_parent(value) is None
    assert parent_of([("other", b"x"), (HEADER, value)]) is None


def test_a_record_without_headers_has_no_parent() -> None:
    assert parent_of(()) is None
    assert parent_of(None) is None
    assert parent_of([("other", b""), (HEADER, PARENT.header)]) == PARENT


def test_a_span_s_id_is_the_same_for_a_repetition_and_another_for_another_record_or_component() -> None:
    first = span_id(PARENT, "stitch", "touchpoints", 1, 7)
    assert span_id(PARENT, "stitch", "touchpoints", 1, 7) == first
    others = {
        span_id(PARENT, "load", "touchpoints", 1, 7), span_id(PARENT, "stitch", "touchpoints", 1, 8),
        span_id(PARENT, "stitch", "touchpoints", 2, 7), span_id(PARENT, "stitch", "other", 1, 7),
        span_id(Parent(PARENT.trace_id, 1), "stitch", "touchpoints", 1, 7),
    }  # fmt: skip
    assert len(others | {first}) == 6
