"""Event ids: what is written is read, and nothing else is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sinks.subscribers.positions import STREAMS, Mark, UnreadableIdError, read, written

offsets = st.integers(0, (1 << 63) - 1)
marks = st.builds(
    Mark,
    st.sampled_from(STREAMS),
    st.integers(0, 1 << 14),
    offsets,
    st.lists(offsets, max_size=40).map(tuple),
)


@given(marks)
def test_an_id_says_where_its_reader_is(mark) -> None:
    text = written(mark)
    assert read(text) == mark
    assert text.isprintable()
    assert " " not in text


@given(st.text(max_size=60))
def test_another_text_is_refused_in_one_way(text) -> None:
    try:
        mark = read(text)
    except UnreadableIdError:
        return
    assert read(written(mark)) == mark


@given(marks, st.data())
def test_an_id_that_was_cut_off_is_refused(mark, data) -> None:
    text = written(mark)
    cut = text[: data.draw(st.integers(0, len(text) - 1))]
    with pytest.raises(UnreadableIdError):
        read(cut)


def test_an_id_without_end_is_refused_before_it_is_read() -> None:
    with pytest.raises(UnreadableIdError, match="too long"):
        read("A" * 100_000)
