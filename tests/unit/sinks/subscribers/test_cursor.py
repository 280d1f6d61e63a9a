"""Where a page of a person's touchpoints goes on: what `next` says, and what is refused as `before`."""

import base64
import json
import string
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.http.problems import ProblemError
from sinks.subscribers.requests import cursor, next_cursor


@given(st.integers(0, 1 << 50), st.text(min_size=1), st.text())
def test_a_page_goes_on_after_any_touchpoint(at: int, event: str, source: str) -> None:
    row = {"occurred_at": at, "event_id": event, "source": source}
    assert cursor(next_cursor(row)) == (at, event, source)


def encoded(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


NO_TIMES = st.one_of(
    st.integers(max_value=-1), st.integers(min_value=1 << 53), st.booleans(), st.floats(), st.none()
)
NO_TEXTS = st.one_of(st.none(), st.integers(), st.lists(st.text()))


@given(
    st.one_of(
        st.text(alphabet=st.characters(exclude_characters=string.ascii_letters + string.digits + "-_")),
        st.lists(st.text(), max_size=5).map(encoded),
        st.tuples(NO_TIMES, st.text(), st.text()).map(encoded),
        st.tuples(st.integers(0, 1 << 50), NO_TEXTS, st.text()).map(encoded),
        st.tuples(st.integers(0, 1 << 50), st.text(), NO_TEXTS).map(encoded),
    )
)
def test_what_is_no_cursor_is_refused(text: str) -> None:
    with pytest.raises(ProblemError):
        cursor(text)


@given(st.text())
def test_any_text_is_a_cursor_or_is_refused(text: str) -> None:
    with suppress(ProblemError):
        at, event, source = cursor(text) or (0, "", "")
        assert (type(at), type(event), type(source)) == (int, str, str)
