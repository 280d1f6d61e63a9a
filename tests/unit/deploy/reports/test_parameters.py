"""What a person types becomes the parameters of a question."""

import pytest

from deploy.reports.parameters import EVER, option_of, values_of
from schemas.errors import SettingsError
from schemas.keys import is_uuid
from schemas.touchpoint.rules import EARLIEST_MS
from sinks.clickhouse.read.questions import Parameter, Question
from tests.support.ids import ODD_IDS, person

QUESTION = Question(
    "funnel",
    "m",
    (
        Parameter("tenant", "String", "default"),
        Parameter("since", "DateTime64", "30d"),
        Parameter("until", "DateTime64", "now"),
        Parameter("steps", "Array(String)"),
        Parameter("within_seconds", "UInt64", "7d"),
        Parameter("half_life_days", "Float64", "7"),
        Parameter("top", "UInt64", "10"),
    ),
    "e",
)


def moment(text: str, option: str) -> int:
    return {"30d": -30, "0s": 0, "1d": -1}[text]


def values(**typed: str | list[str]) -> dict[str, object]:
    return values_of(QUESTION, {"steps": ["a"], **typed}, moment)


def test_defaults_are_read_as_if_they_had_been_typed() -> None:
    assert values() == {
        "tenant": "default", "since": -30, "until": 0, "steps": ["a"], "within_seconds": 604_800,
        "half_life_days": 7.0, "top": 10,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("typed", "seconds"),
    [("90", 90), ("90s", 90), ("1.5m", 90), ("2h", 7_200), ("7d", 604_800), ("1w", 604_800)],
)
def test_durations_have_a_unit_or_are_seconds(typed: str, seconds: int) -> None:
    assert values(within_seconds=typed)["within_seconds"] == seconds


def test_ever_is_the_earliest_time_that_a_touchpoint_can_have() -> None:
    assert values(since=EVER)["since"] == EARLIEST_MS


def test_a_list_is_words_or_text_with_commas() -> None:
    assert values(steps=["a", " b "])["steps"] == values(steps="a, b,")["steps"] == ["a", "b"]


def test_an_option_in_seconds_is_named_without_its_unit() -> None:
    assert [option_of(item) for item in QUESTION.parameters[-3:]] == ["--within", "--half-life-days", "--top"]


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        ({"within_seconds": "soon"}, "--within is 'soon': write how long"),
        ({"top": "ten"}, "--top is 'ten': write a number"),
        ({"top": "-1"}, "--top is '-1'"),
        ({"half_life_days": "nan"}, "--half-life-days is 'nan'"),
        ({"top": str(2**64)}, "--top"),
        ({"within_seconds": "99999999999999999999"}, "--within is '9+': write at most 146000d"),
        ({"since": "0s"}, "--since is not before --until"),
        ({"since": "1d", "until": "30d"}, "--since is not before --until"),
    ],
)
def test_what_cannot_be_read_names_its_option(typed: dict[str, str], says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        values(**typed)


def test_what_has_no_default_must_be_given() -> None:
    with pytest.raises(SettingsError, match="--steps is missing"):
        values_of(QUESTION, {}, moment)


PERSON = Question("person_touchpoints", "m", (Parameter("profile_id", "UUID"),), "e")


def test_an_id_may_be_typed_in_capitals() -> None:
    assert values_of(PERSON, {"profile_id": person("ann").upper()}, moment) == {"profile_id": person("ann")}


@pytest.mark.parametrize("odd", [odd for odd in ODD_IDS if not is_uuid(odd.lower())])
def test_what_is_no_id_names_its_option(odd: str) -> None:
    with pytest.raises(SettingsError, match=r"--profile-id is .*: write an id"):
        values_of(PERSON, {"profile_id": odd}, moment)
