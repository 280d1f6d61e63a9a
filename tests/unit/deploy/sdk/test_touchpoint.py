"""What a program passes gets the verdict, and becomes the record, of the line that says the same."""

import json
import math
from collections import OrderedDict
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.sdk import Score, Touchpoint
from deploy.sdk.touchpoint import read
from schemas.errors import ContractError, Reason
from schemas.touchpoint.intake import read_touchpoint
from schemas.touchpoint.json_form import FIELDS
from tests.support.touchpoints import START

LEAST: dict[str, Any] = {
    "event_id": "e1", "occurred_at": START, "source": "shop", "channel": "web", "type": "page_view",
    "identifiers": {"cookie": "a"},
}  # fmt: skip


def verdict_of(value: Any) -> Any:
    try:
        return read(value, START)
    except ContractError as error:
        return error.reason, str(error)


def verdict_of_line(text: str) -> Any:
    try:
        return read_touchpoint(text, START)
    except ContractError as error:
        return error.reason, str(error)


texts = st.text(st.characters(codec=None), max_size=5)  # half surrogates too
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**20), 10**20) | st.floats() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=5,
)


@given(changes=st.dictionaries(st.sampled_from([*FIELDS, "surprise"]), values, max_size=3))
def test_a_mapping_a_typed_touchpoint_and_a_line_get_one_verdict(changes: dict[str, Any]) -> None:
    form = LEAST | changes
    expected = verdict_of_line(json.dumps(form))
    assert verdict_of(form) == expected
    assert verdict_of(json.dumps(form)) == expected
    assert verdict_of(json.dumps(form).encode()) == expected
    if "surprise" not in form:
        assert verdict_of(Touchpoint(**form)) == expected


@given(value=values | st.binary(max_size=8) | st.sets(st.integers()) | st.decimals() | st.datetimes())
def test_whatever_is_passed_is_a_record_or_a_refusal(value: Any) -> None:
    for passed in (value, LEAST | {"attributes": {"a": value}}, LEAST | {"occurred_at": value}, {1: value}):
        verdict_of(passed)


def test_a_typed_touchpoint_has_every_field_of_the_contract() -> None:
    assert set(Touchpoint.__dataclass_fields__) == set(FIELDS)


def test_values_of_python_are_read_as_what_they_mean() -> None:
    record = read(
        Touchpoint(
            **LEAST
            | {
                "occurred_at": datetime(2026, 1, 1, 1, tzinfo=timezone(timedelta(hours=1))),
                "identifiers": OrderedDict(cookie=("a", "b"), customer_id=7),
                "score": Score("nps", 9),
                "consent": {"marketing": "granted"},
                "attributes": {"seats": 2, "gift": True, "weight": 1.5},
            }
        ),
        START,
    )
    assert record["occurred_at"] == START
    assert [one["value"] for one in record["identifiers"]] == ["a", "b", "7"]
    assert record["score"] == {"kind": "NPS", "value": 9.0}
    assert record["consent"] == {"marketing": "GRANTED"}
    assert record["attributes"] == {"seats": "2", "gift": "true", "weight": "1.5"}


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"occurred_at": datetime(2026, 1, 1)}, "has no time zone: use datetime.now"),  # noqa: DTZ001
        ({"occurred_at": date(2026, 1, 1)}, "date without a time"),
        ({"attributes": {"price": Decimal("1.5")}}, "a value is a Decimal"),
        ({"attributes": {"raw": b"x"}}, "a value is a bytes"),
        ({"sentiment": math.nan}, "NaN is not a JSON number"),
        ({"attributes": {("a", "b"): 1}}, "it has no JSON form"),
    ],
    ids=["naive", "date", "decimal", "bytes", "nan", "tuple-name"],
)
def test_what_json_cannot_say_is_refused_with_the_fix(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(ContractError, match=says):
        read(LEAST | changes, START)


def test_a_value_that_contains_itself_is_refused() -> None:
    loop: dict[str, Any] = dict(LEAST)
    loop["attributes"] = loop
    assert verdict_of(loop)[0] is Reason.INVALID


def test_a_number_is_no_touchpoint() -> None:
    assert verdict_of(7) == (
        Reason.INVALID,
        "int is no touchpoint: pass a Touchpoint, a mapping or JSON text",
    )


def test_a_time_of_today_is_received_now() -> None:
    now = datetime.now(UTC)
    record = read(Touchpoint(**LEAST | {"occurred_at": now}), int(now.timestamp() * 1000))
    assert record["received_at"] == int(now.timestamp() * 1000)
