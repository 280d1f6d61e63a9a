"""Plain JSON: HTTP takes and refuses, item by item, what `touchline publish` does with the same lines."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.encoding.record_types import TOUCHPOINT
from schemas.errors import ContractError
from schemas.http.problems import ProblemError
from schemas.records import Touchpoint
from schemas.touchpoint.intake import MAX_JSON_BYTES, read_touchpoint
from streams.collect.items import Head
from streams.collect.mapping_file import built_in
from streams.collect.outgoing import record
from streams.collect.plain import read
from streams.collect.senders import Sender
from streams.identity.policy.prepare import prepare
from tests.support.built_in import CATALOGUE, POLICY
from tests.support.touchpoints import START

ANYONE = Sender("collector", "default", None)
LINES = Head(media_type="application/x-ndjson")

Outcome = Touchpoint | str

GOOD = {
    "event_id": "e1", "occurred_at": "2026-01-01T00:00:00Z", "source": "web-shop", "channel": "web",
    "type": "login", "identifiers": {"cookie": "ck-1"},
}  # fmt: skip


def line(**fields: object) -> str:
    return json.dumps({**GOOD, **fields})


DEEP = '{"a":' * 40 + "1" + "}" * 40
#: Texts of one JSON value each.
SAMPLES = [
    line(),
    line(order_id=" "),
    line(colour="red"),
    line(identifiers=[]),
    line(type="a\0b"),
    line(source="a\0b"),
    line(channel=" "),
    line(type="\ud800"),
    line(occurred_at=1_767_225_600),
    line(occurred_at="2030-01-01T00:00:00Z"),
    line(attributes={"note": "x" * 9000}),
    line(attributes={"n,]": "a]b,[c", "q": 'a"b\\'}),
    line().replace('"web-shop"', '"a", "source": "b"'),
    line().replace('"web-shop"', "1e999"),
    line().replace('"web-shop"', DEEP),
    "7",
    "null",
    '"text"',
    "[]",
    "{}",
]


def outcomes(head: Head, body: str) -> list[Outcome]:
    """What became of each item: the touchpoint on Kafka, or the reason of its refusal."""
    found: list[Outcome] = []
    for item in read(head, body.encode()).items(ANYONE, built_in(), START):
        if item.touchpoint is None:
            assert item.error is not None
            found.append(item.error.reason.value)
            continue
        try:
            found.append(TOUCHPOINT.decode(record(item.touchpoint, POLICY, CATALOGUE, START)[1]))
        except ContractError as error:
            found.append(error.reason.value)
    return found


def published(text: str) -> Outcome:
    """What `touchline publish` makes of a line."""
    try:
        return prepare(read_touchpoint(text.encode(), START), POLICY, CATALOGUE)[1]
    except ContractError as error:
        return error.reason.value


@pytest.mark.parametrize("text", SAMPLES)
def test_a_line_is_taken_or_refused_as_publish_does(text: str) -> None:
    assert outcomes(LINES, text) == [published(text)]


@pytest.mark.parametrize("text", [one for one in SAMPLES if one != "[]"])
def test_one_value_is_taken_or_refused_as_publish_does(text: str) -> None:
    assert outcomes(Head(), text) == [published(text)]


@given(st.lists(st.sampled_from(SAMPLES), max_size=5), st.sampled_from(["", " ", "\r\n\t"]))
def test_an_item_of_an_array_fares_as_it_would_on_a_line_of_its_own(items: list[str], space: str) -> None:
    array = f"{space}[{space}{f'{space},{space}'.join(items)}{space}]{space}"

    assert outcomes(Head(), array) == [published(one) for one in items]


def test_a_byte_order_mark_is_no_part_of_the_first_line() -> None:
    assert outcomes(LINES, f"\ufeff{line()}\n\n{line()}\r\n") == [published(line())] * 2
    assert outcomes(Head(), f"\ufeff{line()}") == [published(line())]


def test_a_line_that_is_not_json_is_refused_by_its_number_and_an_array_as_a_whole() -> None:
    (good, bad) = read(LINES, f"{line()}\n{{".encode()).items(ANYONE, built_in(), START)

    assert good.error is None
    assert str(bad.error).startswith("line 2: not JSON")
    with pytest.raises(ProblemError) as refused:
        read(Head(), f"[{line()}, NaN]".encode())
    assert (refused.value.status, refused.value.code) == (400, "not_json")


def test_json_that_publish_would_not_read_for_its_length_is_refused_here_too() -> None:
    long = line(attributes={"note": "x" * MAX_JSON_BYTES})

    assert outcomes(Head(), f"[{line()},{long}]") == [published(line()), "TOO_LARGE"]
    assert outcomes(LINES, long) == ["TOO_LARGE"]
