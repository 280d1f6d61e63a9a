"""Strict JSON: what two readers could understand differently is refused, in one sentence and in bounded time."""

import json
import time
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import ContractError, Reason
from schemas.touchpoint.strict_json import MAX_DEPTH, parse_json, shown


def refusal(data: bytes | str) -> str:
    with pytest.raises(ContractError) as refused:
        parse_json(data)
    assert refused.value.reason is Reason.UNDECODABLE
    return str(refused.value)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "not JSON: Expecting value at character 1"),
        (b'{"a": 1} x', "not JSON: Extra data at character 10"),
        (b'{"a": "x', "not JSON: Unterminated string starting at character 7"),
        (b'{"a": "x\ny"}', "not JSON: Invalid control character at character 9"),
        (b'{"a": 1, "b": 2, "a": 3}', "the key a stands twice in one object: keep one"),
        (b'[{"x": {"\\u0061": 1, "a": 2}}]', "the key a stands twice in one object: keep one"),
        (b'{"\\u001b[31m": 1, "\\u001b[31m": 2}', "the key '\\x1b[31m' stands twice in one object: keep one"),
        (b'{"a": NaN}', "NaN is not a JSON number"),
        (b'{"a": -Infinity}', "-Infinity is not a JSON number"),
        (b'{"a": 1e999}', "the number 1e999 is too large"),
        (b"9" * 4301, "a number has more than 4,300 digits"),
        (b'{"a": "\xff"}', "not UTF-8 at byte 8"),
        (b'"\xed\xa0\xbd"', "not UTF-8 at byte 2"),
        (b'\xff\xfe"\x00a\x00"\x00', "not UTF-8 at byte 1"),
        (b"\xef\xbb\xbf1", "not JSON: Unexpected UTF-8 BOM (decode using utf-8-sig) at character 1"),
    ],
)  # fmt: skip
def test_what_is_refused_says_why(data: bytes, says: str) -> None:
    assert refusal(data) == says


@pytest.mark.parametrize(
    ("data", "where"),
    [
        (r'"\ud83d"', "the text"),
        (r'{"event_id": "m-\uDE00"}', "event_id"),
        (r'{"attributes": {"a b": ["x", "\ud83dx"]}}', "attributes.a b"),
        (r'{"\udfff": 1}', "a name"),
        (r'{"attributes": {"\ud800": 1}}', "a name in attributes"),
        ('"\ud83d"', "the text"),
    ],
)
def test_half_of_a_surrogate_pair_is_refused_with_the_place(data: str, where: str) -> None:
    assert refusal(data).startswith(f"{where} holds half of a surrogate pair (\\ud")


def test_a_whole_surrogate_pair_is_one_character() -> None:
    assert parse_json(rb'"\ud83d\ude00"') == parse_json('"\U0001f600"') == "\U0001f600"


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}")])
def test_nesting_is_limited_wherever_the_caller_stands(opening: str, closing: str) -> None:
    def nested(depth: int) -> str:
        return opening * depth + "1" + closing * depth

    def deep(calls: int, text: str) -> Any:
        return parse_json(text) if calls == 0 else deep(calls - 1, text)

    assert parse_json(nested(MAX_DEPTH)) == json.loads(nested(MAX_DEPTH))
    for depth in (MAX_DEPTH + 1, 900, 100_000):
        assert refusal(nested(depth)) == "nested deeper than 32 objects and lists"
        with pytest.raises(ContractError, match="nested deeper"):
            deep(500, nested(depth))


def test_brackets_in_texts_are_no_nesting() -> None:
    value = {"a": '[{"' * 100 + "\\", "b": [[1]] * 50}
    assert parse_json(json.dumps(value)) == value


@pytest.mark.parametrize(
    "data",
    [
        "{" + ",".join(f'"{number}":1' for number in range(200_000)) + ',"199999":1}',
        '"' + '\\"[' * 500_000,
        "[" * 40 + '"' * 500_001,
        "{" * 1_000_000,
    ],
    ids=["many keys", "escaped quotes", "quotes", "brackets"],
)
def test_a_hostile_megabyte_is_refused_in_no_time(data: str) -> None:
    started = time.process_time()
    refusal(data)
    assert time.process_time() - started < 2


def test_fractions_may_be_kept_as_they_are_written() -> None:
    assert parse_json('{"a": 90071992547409.93, "b": 1.50}', exact=True) == {
        "a": Decimal("90071992547409.93"),
        "b": Decimal("1.50"),
    }
    with pytest.raises(ContractError, match="too large"):
        parse_json("1e999", exact=True)


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
)


@given(values, st.booleans())
def test_what_json_writes_is_read_as_it_was(value: Any, ascii_only: bool) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only)
    assert parse_json(text.encode()) == parse_json(text) == value


@given(st.binary(max_size=40) | st.text('[]{}",:\\u0d8ef1. \n', max_size=40).map(str.encode))
def test_whatever_the_bytes_the_answer_is_a_value_or_a_refusal(data: bytes) -> None:
    try:
        value = parse_json(data)
    except ContractError:
        return
    assert json.loads(data.decode()) == value


def test_names_are_shown_short_and_printable() -> None:
    assert [shown("a b"), shown("a\nb"), shown("x" * 90)] == ["a b", "'a\\nb'", repr("x" * 80)]
