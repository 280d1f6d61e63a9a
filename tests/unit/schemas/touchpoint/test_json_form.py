"""The JSON form: lenient in what it takes, exact in what it gives back."""

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import ContractError, Reason
from schemas.touchpoint.json_form import FIELDS, from_json, to_iso, to_json, to_ms
from schemas.touchpoint.rules import EARLIEST_MS, LATEST_MS
from tests.support.examples import example
from tests.support.touchpoints import START, touchpoint

NOW = START + 5000
LEAST = {
    "event_id": "e1",
    "occurred_at": "2026-01-01T00:00:00Z",
    "source": "test",
    "channel": "web",
    "type": "product_view",
    "identifiers": {"cookie": "a"},
}


def read(**fields: Any) -> dict[str, Any]:
    return dict(from_json({**LEAST, **fields}, NOW))


def refusal(**fields: Any) -> str:
    with pytest.raises(ContractError) as refused:
        read(**fields)
    assert refused.value.reason is Reason.INVALID
    return str(refused.value)


def test_what_is_left_out_gets_its_default() -> None:
    assert read() == touchpoint(received_at=NOW)


def test_the_example_comes_back_as_it_was() -> None:
    record = example("Touchpoint")
    assert from_json(json.loads(json.dumps(to_json(record))), NOW) == record


ALPHABET = 'ab Z0é\n"\\\U0001f600'
texts = st.text(ALPHABET, min_size=1, max_size=8)
said = texts.filter(lambda text: not text.isspace())  # a blank optional value counts as left out
moments = st.integers(EARLIEST_MS, LATEST_MS)


@given(
    st.builds(
        touchpoint,
        texts,
        ids=st.lists(st.tuples(texts, said), min_size=1, max_size=3),
        occurred_at=moments,
        received_at=moments,
        session_id=st.none() | said,
        amount_minor=st.none() | st.integers(-(2**63), 2**63 - 1),
        sentiment=st.none() | st.floats(-1, 1),
        score=st.none() | st.builds(dict, kind=st.sampled_from(["NPS", "CES"]), value=st.floats(0, 10)),
        consent=st.dictionaries(texts, st.sampled_from(["GRANTED", "DENIED", "REVOKED"]), max_size=3),
        experiments=st.dictionaries(texts, texts, max_size=3),
        link=st.sampled_from(["OBSERVED", "ASSERTED"]),
        attributes=st.dictionaries(texts, st.text(ALPHABET, max_size=8), max_size=3),
    )
)
def test_any_touchpoint_comes_back_from_its_json_form_as_it_was(record: Any) -> None:
    assert from_json(json.loads(json.dumps(to_json(record))), NOW) == record


@pytest.mark.parametrize(
    "text",
    [
        "2026-01-01T00:00:00Z",
        "2026-01-01T00:00:00",
        "2026-01-01 00:00:00.000",
        "2026-01-01T01:00:00+01:00",
        "2026-01-01",
        START,
        float(START),
    ],
)
def test_a_time_is_iso_8601_or_epoch_milliseconds_and_utc_unless_it_says_otherwise(text: Any) -> None:
    assert read(occurred_at=text)["occurred_at"] == START


@pytest.mark.parametrize("value", ["yesterday", "", None, True, 1.5, [], 2**63, float("inf")])
def test_what_is_no_time_is_refused(value: Any) -> None:
    assert "occurred_at" in refusal(occurred_at=value)


@given(moments)
def test_milliseconds_survive_iso_8601_exactly(moment: int) -> None:
    assert to_ms(to_iso(moment), "t") == moment


def test_identifiers_may_be_an_object_of_texts_numbers_and_lists() -> None:
    assert read(identifiers={"email": "a@b.c", "cookie": ["a", "b"], "customer_id": 7, "phone": None})[
        "identifiers"
    ] == [
        {"type": "email", "value": "a@b.c"},
        {"type": "cookie", "value": "a"},
        {"type": "cookie", "value": "b"},
        {"type": "customer_id", "value": "7"},
    ]


def test_names_of_choices_may_be_written_small() -> None:
    record = read(link="asserted", consent={"mail": "revoked"}, score={"kind": "nps", "value": 9})
    assert (record["link"], record["consent"], record["score"]) == (
        "ASSERTED",
        {"mail": "REVOKED"},
        {"kind": "NPS", "value": 9.0},
    )


def test_attributes_may_be_numbers_and_truth_values_and_empty_optional_texts_are_left_out() -> None:
    record = read(attributes={"n": 3, "x": 1.5, "b": True, "none": None}, session_id="", tenant="")
    assert record["attributes"] == {"n": "3", "x": "1.5", "b": "true"}
    assert (record["session_id"], record["tenant"]) == (None, "default")


BLANK = [None, "", " ", "\t\u3000", [], {}]


@pytest.mark.parametrize("blank", BLANK)
@pytest.mark.parametrize(
    "name", sorted(set(FIELDS) - {"event_id", "occurred_at", "source", "channel", "type", "identifiers"})
)
def test_a_blank_value_counts_as_left_out(name: str, blank: Any) -> None:
    assert read(**{name: blank}) == read()


@pytest.mark.parametrize("blank", BLANK)
def test_a_blank_identifier_takes_nothing_from_its_neighbours(blank: Any) -> None:
    kept = [{"type": "cookie", "value": "a"}]
    assert read(identifiers={"cookie": "a", "email": blank})["identifiers"] == kept
    assert read(identifiers={"cookie": ["a", blank]})["identifiers"] == kept
    assert read(identifiers=[*kept, {"type": "email", "value": blank}])["identifiers"] == kept
    assert read(identifiers=blank)["identifiers"] == []


@pytest.mark.parametrize("blank", BLANK)
def test_a_purpose_without_a_decision_says_nothing_of_consent(blank: Any) -> None:
    assert read(consent={"mail": blank, "sms": "granted"})["consent"] == {"sms": "GRANTED"}


def test_an_unknown_field_is_refused_with_the_likely_name() -> None:
    assert refusal(ocurred_at=1) == "unknown field 'ocurred_at': did you mean occurred_at?"
    assert refusal(colour="red") == "unknown field 'colour': put it under attributes"


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"event_id": None}, "event_id is missing"),
        ({"type": ""}, "type is missing"),
        ({"source": 1.5}, "source must be a text"),
        ({"channel": True}, "channel must be a text"),
        ({"identifiers": "a"}, "identifiers must be"),
        ({"identifiers": [{"type": "cookie"}]}, "an identifier in the list"),
        ({"identifiers": ["a"]}, "an identifier in the list"),
        ({"identifiers": {"cookie": {"a": 1}}}, "identifiers.cookie must be a text"),
        ({"amount_minor": 1.5}, "amount_minor must be a whole number"),
        ({"amount_minor": 2**63}, "amount_minor must be a whole number"),
        ({"sentiment": "good"}, "sentiment must be a number"),
        ({"sentiment": 10**400}, "sentiment must be a number"),
        ({"score": 9}, "score must be"),
        ({"score": {"kind": "stars", "value": 5}}, "score.kind must be nps or csat or ces"),
        ({"score": {"kind": "nps", "value": None}}, "score.value is missing"),
        ({"consent": {"mail": "yes"}}, "consent.mail must be granted or denied or revoked"),
        ({"consent": ["mail"]}, "consent must be"),
        ({"link": "guessed"}, "link must be observed or asserted"),
        ({"attributes": {"a": {"b": 1}}}, "attributes.a must be"),
        ({"experiments": [1]}, "experiments must be"),
    ],
)
def test_a_wrong_field_is_named_with_what_it_should_be(fields: dict[str, Any], says: str) -> None:
    assert says in refusal(**fields)


@pytest.mark.parametrize("value", [None, 1, "x", [], [LEAST]])
def test_what_is_no_object_is_refused(value: Any) -> None:
    with pytest.raises(ContractError):
        from_json(value, NOW)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(ALPHABET, max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(ALPHABET, max_size=5), inner, max_size=3)
    ),
    max_leaves=5,
)


@given(st.dictionaries(st.sampled_from(sorted(touchpoint())), json_values))
def test_whatever_json_raises_only_contract_errors(fields: dict[str, Any]) -> None:
    with suppress(ContractError):
        read(**fields)


@pytest.mark.parametrize(
    "text", ["2026-01-01t00:00:00z", "2026-01-01 00:00:00 UTC", "2026-01-01T00:00:00.000z"]
)
def test_a_time_may_be_written_as_rfc_3339_and_bigquery_write_it(text: str) -> None:
    assert read(occurred_at=text)["occurred_at"] == START


@pytest.mark.parametrize("text", ["1767225600000", "2000010112304", "1767225600", "2026-01-01 00:00:00 MEZ"])
def test_digits_that_are_no_date_of_eight_are_refused(text: str) -> None:
    assert "write ISO 8601" in refusal(occurred_at=text)
