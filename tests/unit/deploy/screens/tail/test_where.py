"""Conditions of `touchline tail --where`: a closed grammar over the fields of a record."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.screens.tail.where import MAX_CHARACTERS, condition
from schemas.errors import SettingsError
from tests.support.examples import example

STATE: dict[str, Any] = example("JourneyState") | {
    "friction": 5.5,
    "stage": "purchase",
    "sentiment": None,
    "orders": 2,
    "revenue": {"EUR": 1999},
    "session": {"session_id": None, "started_at": 0, "last_at": 1, "touchpoints": 3},
    "recent": [
        {"event_id": "1", "occurred_at": 1, "channel": "web", "type": "product_view"},
        {"event_id": "2", "occurred_at": 2, "channel": "phone", "type": "call_started"},
    ],
    "open_issues": [],
    "effort_answered": False,
}


def holds(text: str, **fields: Any) -> bool:
    return condition(text, "JourneyState")(STATE | fields)


@pytest.mark.parametrize(
    "text",
    [
        "friction > 5",
        "5 < friction <= 5.5",
        "friction > 5 and stage == 'purchase'",
        "friction > 50 or not (orders == 1)",
        "stage in ('purchase', 'service')",
        "stage not in ['lead']",
        "'purch' in stage",
        "sentiment is None",
        "sentiment == null",
        "effort_answered == false",
        "revenue['EUR'] >= 1999",
        "revenue['CHF'] == null",
        "revenue.__init__ == null",
        "session.touchpoints == 3",
        "recent[0].channel == 'web' and recent[-1].type == 'call_started'",
        "len(open_issues) == 0",
        "friction != -1",
        "orders",
    ],
)
def test_a_condition_that_holds(text: str) -> None:
    assert holds(text)
    assert not holds(f"not ({text})")


@pytest.mark.parametrize(
    "text",
    [
        "sentiment < 0",
        "sentiment >= 0",
        "stage > 5",
        "5 in orders",
        "recent[7].type == 'x'",
        "len(orders) > 0",
    ],
)
def test_a_comparison_with_what_is_missing_or_of_another_type_is_false(text: str) -> None:
    assert not holds(text)


def test_a_session_that_there_is_not_has_no_parts() -> None:
    assert not holds("session.touchpoints > 0", session=None)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("friktion > 5", "did you mean friction?"),
        ("session.touchpoint > 5", "did you mean touchpoints?"),
        ("friction = 5", "write == to compare"),
        ("friction >", "it is no condition; like"),
        ("", "it is no condition; like"),
        ("friction + 1 > 5", "a condition has only fields"),
        ("__import__('os').system('x')", "a condition has only fields"),
        ("open('/etc/passwd')", "a condition has only fields"),
        ("(lambda: 1)()", "a condition has only fields"),
        ("[x for x in recent]", "a condition has only fields"),
        ("stage.__class__ == 1", "has no part '__class__'"),
        ("orders.__init__", "has no part '__init__'"),
        ("recent[stage]", "names no field"),
        ("2 ** 99999999 > 1", "a condition has only fields"),
        ("f'{stage}' == 'a'", "a condition has only fields"),
        ("len(stage, 1)", "a condition has only fields"),
        ("x" * (MAX_CHARACTERS + 1), "is longer than"),
        ("(" * 400, "it is no condition"),
    ],
)  # fmt: skip
def test_what_is_not_in_the_grammar_is_one_sentence_before_anything_is_read(text: str, said: str) -> None:
    with pytest.raises(SettingsError, match="--where") as refused:
        condition(text, "JourneyState")
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


@given(
    st.text(st.sampled_from(list("abfriction.()[]'\"<>=!,- 0159in or and not len:;{}@\n\0\\")), max_size=60)
)
def test_whatever_is_typed_is_a_condition_or_one_error(text: str) -> None:
    try:
        found = condition(text, "JourneyState")
    except SettingsError:
        return
    assert found(STATE) in (True, False)


def test_every_record_that_is_shown_has_its_own_fields() -> None:
    signal = example("JourneySignal")
    assert condition(f"kind == {signal['kind']!r} and details['channel'] == 'web'", "JourneySignal")(signal)
    with pytest.raises(SettingsError, match="friction is no field of a JourneySignal"):
        condition("friction > 1", "JourneySignal")
