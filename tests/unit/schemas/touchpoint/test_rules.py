"""The rules that a touchpoint must keep."""

from typing import Any

import pytest

from schemas.errors import ContractError, Reason
from schemas.touchpoint.json_form import to_ms
from schemas.touchpoint.rules import EARLIEST_MS, LATEST_MS, MAX_AMOUNT_MINOR, MAX_FUTURE_MS, capped, check
from tests.support.touchpoints import START, touchpoint

HOUR = 3_600_000


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"amount_minor": -500, "currency": "EUR"},
        {"currency": "JPY"},
        {"sentiment": -1.0},
        {"score": {"kind": "NPS", "value": 0.0}},
        {"score": {"kind": "CES", "value": 7.0}},
        {"occurred_at": EARLIEST_MS},
        {"occurred_at": LATEST_MS, "received_at": LATEST_MS},
        {"occurred_at": START + MAX_FUTURE_MS, "received_at": START},
        {"occurred_at": START, "received_at": START + 10_000 * HOUR},
        {"attributes": {str(number): "" for number in range(128)}},
        {"identifiers": [{"type": "cookie", "value": "x" * 200}] * 32},
        {"type": "a type that nobody knows"},
        {"type": "é" * 64, "source": "s" * 128, "channel": "ü" * 32},
        {"account_id": "a" * 200, "session_id": "s" * 200, "issue_id": "i" * 200, "campaign": "漢" * 66},
        {"attributes": {"k" * 200: "漢" * 2730}},
        {"experiments": {"e" * 128: "v" * 128}, "consent": {"p" * 128: "DENIED"}},
    ],
)
def test_what_the_contract_allows_passes(fields: dict[str, Any]) -> None:
    check(touchpoint(**fields) if "type" not in fields else {**touchpoint(), **fields})


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"identifiers": []}, Reason.NO_IDENTIFIER),
        ({"identifiers": [{"type": "cookie", "value": "a"}] * 33}, Reason.TOO_LARGE),
        ({"identifiers": [{"type": "cookie", "value": "x" * 201}]}, Reason.TOO_LARGE),
        ({"attributes": {str(number): "" for number in range(129)}}, Reason.TOO_LARGE),
        ({"experiments": {str(number): "" for number in range(129)}}, Reason.TOO_LARGE),
        ({"consent": {str(number): "DENIED" for number in range(129)}}, Reason.TOO_LARGE),
        ({"event_id": "e" * 201}, Reason.TOO_LARGE),
        ({"type": "t" * 129}, Reason.TOO_LARGE),
        ({"source": "漢" * 43}, Reason.TOO_LARGE),
        ({"channel": "c" * 65}, Reason.TOO_LARGE),
        ({"channel": "漢" * 22}, Reason.TOO_LARGE),
        ({"account_id": "a" * 201}, Reason.TOO_LARGE),
        ({"session_id": "漢" * 67}, Reason.TOO_LARGE),
        ({"issue_id": "i" * 201}, Reason.TOO_LARGE),
        ({"campaign": "c" * 201}, Reason.TOO_LARGE),
        ({"attributes": {"k" * 201: ""}}, Reason.TOO_LARGE),
        ({"attributes": {"k": "v" * 8193}}, Reason.TOO_LARGE),
        ({"experiments": {"e" * 129: ""}}, Reason.TOO_LARGE),
        ({"experiments": {"e": "漢" * 43}}, Reason.TOO_LARGE),
        ({"consent": {"p" * 129: "DENIED"}}, Reason.TOO_LARGE),
        ({"identifiers": [{"type": "", "value": "a"}]}, Reason.INVALID),
        ({"identifiers": [{"type": "a:b", "value": "a"}]}, Reason.INVALID),
        ({"tenant": ""}, Reason.INVALID),
        ({"tenant": "a/b"}, Reason.INVALID),
        ({"tenant": "x" * 65}, Reason.INVALID),
        ({"tenant": "acme\n"}, Reason.INVALID),
        ({"event_id": ""}, Reason.INVALID),
        ({"type": ""}, Reason.INVALID),
        ({"source": ""}, Reason.INVALID),
        ({"channel": ""}, Reason.INVALID),
        ({"identifiers": [{"type": " ", "value": "a"}]}, Reason.INVALID),
        ({"identifiers": [{"type": "émail", "value": "a"}]}, Reason.INVALID),
        ({"identifiers": [{"type": "e\x00mail", "value": "a"}]}, Reason.INVALID),
        ({"amount_minor": MAX_AMOUNT_MINOR + 1, "currency": "EUR"}, Reason.TOO_LARGE),
        ({"amount_minor": -MAX_AMOUNT_MINOR - 1, "currency": "EUR"}, Reason.TOO_LARGE),
        ({"amount_minor": 2**63 - 1, "currency": "JPY"}, Reason.TOO_LARGE),
        ({"consent": {"marketing": "GRANTED", " \u200b": "GRANTED"}}, Reason.INVALID),
        ({"received_at": 0}, Reason.INVALID),
        ({"received_at": -1}, Reason.INVALID),
        ({"received_at": 20_260}, Reason.INVALID),
        ({"received_at": EARLIEST_MS}, Reason.INVALID),
        ({"occurred_at": 0}, Reason.INVALID),
        ({"occurred_at": -1}, Reason.INVALID),
        ({"sentiment": 1.01}, Reason.INVALID),
        ({"sentiment": float("nan")}, Reason.INVALID),
        ({"amount_minor": 5}, Reason.INVALID),
        ({"amount_minor": 5, "currency": "eur"}, Reason.INVALID),
        ({"amount_minor": 5, "currency": "EURO"}, Reason.INVALID),
        ({"amount_minor": 5, "currency": "ÄÖÜ"}, Reason.INVALID),
        ({"score": {"kind": "NPS", "value": 11.0}}, Reason.INVALID),
        ({"score": {"kind": "CSAT", "value": 0.0}}, Reason.INVALID),
        ({"score": {"kind": "CES", "value": float("nan")}}, Reason.INVALID),
        ({"occurred_at": EARLIEST_MS - 1}, Reason.INVALID),
        ({"occurred_at": LATEST_MS + 1, "received_at": LATEST_MS}, Reason.INVALID),
        ({"received_at": 2**62}, Reason.INVALID),
        ({"occurred_at": START + MAX_FUTURE_MS + 1, "received_at": START}, Reason.FUTURE_TIME),
    ],
)
def test_what_breaks_the_contract_is_refused_with_its_reason(fields: dict[str, Any], reason: Reason) -> None:
    with pytest.raises(ContractError) as refused:
        check({**touchpoint(), **fields})  # type: ignore[typeddict-item]
    assert refused.value.reason is reason


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        (
            {"occurred_at": START // 1000},
            f"occurred_at {START // 1000} is a time in seconds: write milliseconds, {START}",
        ),
        (
            {"occurred_at": 631_152_000},
            "occurred_at 631152000 is a time in seconds: write milliseconds, 631152000000",
        ),
        ({"occurred_at": (START + MAX_FUTURE_MS) // 1000}, "is a time in seconds"),
        ({"received_at": START // 1000}, "received_at 1767225600 is a time in seconds"),
        (
            {"occurred_at": START // 1000, "received_at": START // 1000},
            "received_at 1767225600 is a time in seconds",
        ),
        (
            {"occurred_at": START * 1000},
            f"occurred_at {START}000 is a time in microseconds: write milliseconds, {START}",
        ),
        (
            {"occurred_at": START * 10**6},
            f"is a time in nanoseconds: write milliseconds, {START}, or ISO 8601",
        ),
        ({"received_at": START * 1000}, f"received_at {START}000 is a time in microseconds"),
        ({"received_at": 2**62}, "is not between 1900 and 2262"),
    ],
)
def test_a_time_in_another_unit_is_refused_with_a_sentence_that_says_so(
    fields: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(ContractError) as refused:
        check({**touchpoint(), **fields})  # type: ignore[typeddict-item]
    assert refused.value.reason is Reason.INVALID
    assert sentence in str(refused.value)


@pytest.mark.parametrize(
    "date",
    [
        "1905-06-30",
        "1969-12-31",
        "1970-01-02",
        "1970-01-08T07:19:11.999",
        "1970-01-23",
        "1989-11-09",
        "2001-09-09",
    ],
)
def test_a_time_long_ago_is_taken_but_for_the_days_that_todays_seconds_make(date: str) -> None:
    check(touchpoint(occurred_at=to_ms(date, "occurred_at")))


@pytest.mark.parametrize("field", ["event_id", "source", "type", "channel"])
@pytest.mark.parametrize(
    "text", [" ", "\t \n", "\u00a0\u3000", "\u200b", "\ufeff\u00ad", "\u3164", "\x01\x7f", " \u2060 "]
)
def test_a_required_text_that_shows_nothing_is_refused_with_a_sentence_that_names_it(
    field: str, text: str
) -> None:
    with pytest.raises(
        ContractError, match=f"^{field} is empty: it has only spaces or characters that"
    ) as refused:
        check(touchpoint(**{field: text}))
    assert refused.value.reason is Reason.INVALID


@pytest.mark.parametrize("text", ["a b", "\u200ba", "é", "注文 完了", "\x01a", "🛒"])
def test_a_text_that_shows_something_passes(text: str) -> None:
    check(touchpoint(event_id=text, source=text, type=text, channel=text))


@pytest.mark.parametrize(
    "kind", ["Email", "e-mail", " Customer ID ", "\uff25\uff4d\uff41\uff49\uff4c", "e\u200bmail"]
)
def test_an_identifier_type_may_be_spelled_as_its_source_likes(kind: str) -> None:
    check({**touchpoint(), "identifiers": [{"type": kind, "value": "a"}]})


def test_what_claims_to_be_received_later_than_now_was_received_now() -> None:
    assert capped(touchpoint(received_at=START + 5), START) == touchpoint(received_at=START)
    earlier = touchpoint(received_at=START - 5)
    assert capped(earlier, START) is earlier


def test_a_source_cannot_switch_the_future_guard_off() -> None:
    in_2099 = to_ms("2099-01-01", "occurred_at")
    check(touchpoint(occurred_at=in_2099, received_at=in_2099))
    with pytest.raises(ContractError) as refused:
        check(capped(touchpoint(occurred_at=in_2099, received_at=in_2099), START))
    assert refused.value.reason is Reason.FUTURE_TIME


def test_a_refusal_does_not_repeat_an_endless_value() -> None:
    with pytest.raises(ContractError) as refused:
        check(touchpoint(tenant="x" * 1_000_000))
    assert len(str(refused.value)) < 200


@pytest.mark.parametrize("blank", ["", " ", "\u200b"])
def test_a_blank_identifier_or_reference_of_an_avro_source_is_no_fault(blank: str) -> None:
    given = touchpoint(ids=[("email", blank), ("cookie", "a")])
    check(given)
    for name in ("session_id", "account_id", "issue_id", "campaign"):
        check({**given, name: blank})  # type: ignore[typeddict-item]
