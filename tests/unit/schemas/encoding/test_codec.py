"""The codec: what goes in comes out, and hostile bytes raise one error without costing memory."""

import tracemalloc
from collections.abc import Callable
from contextlib import suppress
from copy import deepcopy
from io import BytesIO
from typing import Any

import pytest
from fastavro import schemaless_writer
from hypothesis import given
from hypothesis import strategies as st

import schemas.encoding.codec as codec
from schemas.encoding.codec import (
    HEADER_BYTES,
    MARKER,
    MAX_BYTES,
    MAX_OWN_BYTES,
    decode,
    decode_as,
    decode_own,
    encode,
    name_of,
)
from schemas.encoding.datum import parsed
from schemas.encoding.registry import NAMES, WriterSchema, current, fingerprint_of
from schemas.encoding.splicing import encode_resolved
from schemas.errors import ContractError, Reason
from tests.support.examples import example
from tests.support.touchpoints import touchpoint

VALID = {name: encode(name, example(name)) for name in NAMES}


def long(number: int) -> bytes:
    rest, encoded = number << 1 ^ number >> 63, bytearray()
    while rest > 0x7F:
        encoded.append(rest & 0x7F | 0x80)
        rest >>= 7
    return bytes([*encoded, rest])


def only_a_contract_error(data: bytes | None) -> None:
    with suppress(ContractError):
        decode(data)


@pytest.mark.parametrize("name", NAMES)
def test_the_bytes_say_which_record_they_are(name: str) -> None:
    assert VALID[name].startswith(MARKER + fingerprint_of(current()[name]))
    assert name_of(VALID[name]) == name
    assert codec.header(name) == VALID[name][:HEADER_BYTES]


def test_times_stay_integers() -> None:
    found = decode_as("Touchpoint", VALID["Touchpoint"])
    assert type(found["occurred_at"]) is int


def test_the_fingerprint_is_that_of_the_avro_specification() -> None:
    # CRC-64-AVRO of "int", as Avro's own schema-tests.txt has it; on the wire it is little-endian
    assert fingerprint_of({"type": "int"}) == (0x7275D51A3F395C8F).to_bytes(8, "little")


def test_another_record_than_expected_is_refused() -> None:
    with pytest.raises(ContractError, match="expected a Move, found a Touchpoint"):
        decode_as("Move", VALID["Touchpoint"])


def test_a_resolved_touchpoint_around_encoded_bytes_equals_one_encoded_whole() -> None:
    resolved = example("ResolvedTouchpoint")
    inner = encode("Touchpoint", resolved["touchpoint"])
    for version in (-1, 0, 63, 64, 2**62, -(2**63)):
        spliced = encode_resolved(resolved["identifier"], resolved["profile_id"], version, inner)
        assert spliced == encode("ResolvedTouchpoint", {**resolved, "version": version})


@pytest.mark.parametrize(
    "change",
    [
        {"occurred_at": "yesterday"},
        {"occurred_at": 2**63},
        {"link": "GUESSED"},
        {"tenant": None},
        {"tenant": "\ud800"},
        {"identifiers": [{"type": "cookie"}]},
        {"score": {"kind": "NPS", "value": "9"}},
        {"consent": ["marketing"]},
    ],
)
def test_what_does_not_fit_the_schema_is_refused_when_written(change: dict[str, Any]) -> None:
    with pytest.raises(ContractError) as refused:
        encode("Touchpoint", {**touchpoint(), **change})
    assert refused.value.reason is Reason.INVALID


def test_a_record_of_an_older_version_is_read_as_the_current_one_describes_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    old = deepcopy(current()["Touchpoint"])
    old["fields"] = [field for field in old["fields"] if field["name"] not in ("experiments", "campaign")]
    mark = fingerprint_of(old)
    monkeypatch.setitem(codec.RELEASED, mark, WriterSchema("Touchpoint", mark, old))
    buffer = BytesIO(MARKER + mark)
    buffer.seek(0, 2)
    written = touchpoint(campaign="gone", attributes={"a": "b"})
    schemaless_writer(buffer, parsed(old), written)
    assert decode(buffer.getvalue()) == ("Touchpoint", {**written, "campaign": None})
    assert decode_own("Touchpoint", buffer.getvalue()) == {**written, "campaign": None}


@pytest.mark.parametrize("name", NAMES)
def test_a_record_cut_off_anywhere_is_refused(name: str) -> None:
    for end in range(len(VALID[name])):
        with pytest.raises(ContractError):
            decode(VALID[name][:end])


@pytest.mark.parametrize("name", NAMES)
def test_bytes_left_over_are_refused(name: str) -> None:
    with pytest.raises(ContractError) as refused:
        decode(VALID[name] + b"\x00")
    assert refused.value.reason is Reason.UNDECODABLE


def test_no_value_and_too_many_bytes_are_refused() -> None:
    only_a_contract_error(None)
    with pytest.raises(ContractError) as refused:
        decode(VALID["Touchpoint"] + bytes(MAX_BYTES))
    assert refused.value.reason is Reason.TOO_LARGE


@given(st.binary(max_size=300))
def test_arbitrary_bytes_raise_only_contract_errors(data: bytes) -> None:
    only_a_contract_error(data)


@given(st.sampled_from(NAMES), st.binary(max_size=300))
def test_arbitrary_data_under_a_known_fingerprint_raises_only_contract_errors(name: str, data: bytes) -> None:
    only_a_contract_error(VALID[name][:HEADER_BYTES] + data)


@given(st.sampled_from(NAMES), st.data())
def test_mutated_records_raise_only_contract_errors(name: str, data: st.DataObject) -> None:
    mutated = bytearray(VALID[name])
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(HEADER_BYTES, len(mutated) - 1))
        mutated[at] = data.draw(st.integers(0, 255))
    only_a_contract_error(bytes(mutated))


def start_of_touchpoint() -> bytes:
    """A current Touchpoint up to its identifiers."""
    texts = [b"default", b"e1"]
    head = b"".join(long(len(text)) + text for text in texts) + long(0) + long(0)
    return codec.header("Touchpoint") + head + b"".join(long(1) + b"x" for _ in range(3))


def start_of_transfer() -> bytes:
    """A current Transfer up to its touchpoints."""
    whole = encode("Transfer", {**example("Transfer"), "touchpoints": []})
    return whole[:-1]


def many_identifiers() -> bytes:
    return start_of_touchpoint() + long(60_000) + b"\x00\x00" * 60_000 + b"\x00"


def many_identifiers_in_sized_blocks() -> bytes:
    block = long(-100) + long(200) + b"\x00\x00" * 100
    return start_of_touchpoint() + block * 600 + b"\x00"


def many_identifiers_in_many_touchpoints() -> bytes:
    empty = b"\x00" * 2 + long(0) * 2 + b"\x00" * 3
    crowd = long(4000) + b"\x00\x00" * 4000 + b"\x00"
    rest = b"\x00" * 12 + b"\x00"
    body = (empty + crowd + rest) * 120
    return start_of_transfer() + long(120) + body + b"\x00"


def more_items_than_bytes() -> bytes:
    return start_of_touchpoint() + long(2**62) + b"\x00" * 100_000


def a_string_of_more_bytes_than_there_are() -> bytes:
    return codec.header("Touchpoint") + long(2**40) + b"x" * 100_000


@pytest.mark.parametrize(
    "build",
    [
        many_identifiers,
        many_identifiers_in_sized_blocks,
        many_identifiers_in_many_touchpoints,
        more_items_than_bytes,
        a_string_of_more_bytes_than_there_are,
    ],
)
def test_hostile_bytes_cost_no_more_than_a_few_times_their_size(build: Callable[[], bytes]) -> None:
    data = build()
    assert len(data) <= (MAX_OWN_BYTES if codec.is_a("Transfer", data) else MAX_BYTES)
    tracemalloc.start()
    try:
        with pytest.raises(ContractError):
            decode(data)
        assert tracemalloc.get_traced_memory()[1] < 2 * len(data) + 100_000
    finally:
        tracemalloc.stop()


def test_the_largest_honest_touchpoint_is_read() -> None:
    attributes = {f"attribute-{number}": "x" * 900 for number in range(128)}
    ids = [("cookie", f"{number:0200}") for number in range(32)]
    record = touchpoint(ids=ids, attributes=attributes)
    assert decode(encode("Touchpoint", record)) == ("Touchpoint", record)


def test_the_largest_honest_transfer_is_read() -> None:
    ids = [("cookie", str(number)) for number in range(8)]
    crowd = [touchpoint(f"e{number}", ids=ids, attributes={"a": "b"}) for number in range(256)]
    record = {**example("Transfer"), "touchpoints": crowd}
    assert decode(encode("Transfer", record)) == ("Transfer", record)


def test_a_consent_in_a_later_touchpoint_of_a_large_transfer_is_read() -> None:
    crowd = [touchpoint(f"e{number}", attributes={"a": "b" * 100}) for number in range(50)]
    crowd[-1]["consent"] = {"marketing": "DENIED"}
    record = {**example("Transfer"), "touchpoints": crowd}
    data = encode("Transfer", record)
    assert len(data) > codec.UNWALKED_BYTES
    assert decode(data) == ("Transfer", record)
