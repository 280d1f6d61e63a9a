"""A spliced record is, byte for byte, the one that the general encoder writes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.encoding import signal_encoders
from schemas.encoding.codec import long_bytes, take_long
from schemas.encoding.record_types import SIGNALS_PUBLISHED, SIGNALS_WRITTEN_AHEAD
from schemas.encoding.registry import current

longs = st.one_of(st.integers(-(2**63), 2**63 - 1), st.integers(-20_000, 20_000))
#: Around each number of bytes that Avro writes a long with.
EDGES = sorted({edge for bits in range(64) for edge in (2**bits - 1, 2**bits - 2, -(2**bits), 1 - 2**bits)})


@given(version=longs, now=longs, due_at=st.none() | longs, meanings=longs)
def test_when_signals_were_published(version: int, now: int, due_at: int | None, meanings: int) -> None:
    record = {"version": version, "now": now, "due_at": due_at, "meanings": meanings}
    assert signal_encoders.signals_published(**record) == SIGNALS_PUBLISHED.encode(record)  # type: ignore[arg-type]


@given(now=longs, signals=st.lists(st.tuples(st.text(), st.binary()), min_size=1))
def test_signals_about_to_be_raised(now: int, signals: list[tuple[str, bytes]]) -> None:
    written = [{"event": event, "signal": signal} for event, signal in signals]
    assert signal_encoders.signals_written_ahead(now, signals) == SIGNALS_WRITTEN_AHEAD.encode(
        {"now": now, "signals": written}  # type: ignore[typeddict-item]
    )


@pytest.mark.parametrize("number", EDGES)
def test_a_long_of_every_length_is_written_as_avro_has_it(number: int) -> None:
    encoded = long_bytes(number)
    assert take_long(encoded, 0) == (number, len(encoded))
    assert all(byte & 0x80 for byte in encoded[:-1])
    assert not encoded[-1] & 0x80
    assert encoded[-1] or len(encoded) == 1  # no byte too many


def test_another_order_of_fields_stops_the_import() -> None:
    fields = [field["name"] for field in current()["SignalsPublished"]["fields"]]
    with pytest.raises(ImportError, match=r"SignalsPublished\.avsc has the fields"):
        signal_encoders.checked_header("SignalsPublished", *reversed(fields))
