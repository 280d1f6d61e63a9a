import pytest

from deploy.repair.dead_letters.fix import parse_fix
from schemas.errors import ContractError, Reason, SettingsError
from tests.support.touchpoints import START, touchpoint


def fix(text: str):
    return parse_fix(text, "fix.toml")


def identifiers(mended) -> list[tuple[str, str]]:
    return [(one["type"], one["value"]) for one in mended["identifiers"]]


def test_an_empty_fix_changes_nothing() -> None:
    event = touchpoint(ids=[("cookie", "a"), ("email", "x@y.org")], attributes={"a": "1"}, sentiment=0.5)

    assert fix("").apply(event) == event


def test_a_field_is_set_and_another_dropped() -> None:
    event = touchpoint(amount_minor=100, score={"kind": "NPS", "value": 99.0})

    mended = fix('[set]\ncurrency = "EUR"\n[drop]\nfields = ["score"]').apply(event)

    assert (mended["currency"], mended["score"], mended["amount_minor"]) == ("EUR", None, 100)


def test_identifiers_are_renamed_by_type_and_made_of_attributes() -> None:
    event = touchpoint(
        ids=[("mail", "x@y.org"), ("mail", "z@y.org")], attributes={"customer": "7", "kept": "1"}
    )

    text = '[rename]\n"identifiers.mail" = "identifiers.email"\n"attributes.customer" = "identifiers.customer_id"'
    mended = fix(text).apply(event)

    assert identifiers(mended) == [("email", "x@y.org"), ("email", "z@y.org"), ("customer_id", "7")]
    assert mended["attributes"] == {"kept": "1"}


def test_identifiers_are_dropped_by_type_or_by_value() -> None:
    event = touchpoint(ids=[("phone", "1"), ("device", "0000"), ("device", "real")])

    assert identifiers(fix('[drop]\nidentifiers = ["phone", "device:0000"]').apply(event)) == [
        ("device", "real")
    ]


def test_a_time_beyond_is_moved_to_the_limit_and_one_within_stays() -> None:
    late = touchpoint(minute=60 * 24 * 3, received_at=START)
    early = touchpoint(occurred_at=0, received_at=START)
    clamp = fix('[clamp]\nlatest = "received_at"\nearliest = "2020-01-01T00:00:00Z"')

    assert clamp.apply(late)["occurred_at"] == START
    assert clamp.apply(early)["occurred_at"] == 1_577_836_800_000
    assert clamp.apply(touchpoint())["occurred_at"] == START


def test_what_is_still_wrong_afterwards_is_refused_with_its_reason() -> None:
    with pytest.raises(ContractError) as refused:
        fix('[drop]\nidentifiers = ["cookie"]').apply(touchpoint())

    assert refused.value.reason is Reason.NO_IDENTIFIER


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[sett]\na = 1", "fix.toml, line 1: sett: a fix has the tables rename, drop, set, clamp"),
        ("[set]\nchanel = 'web'", "fix.toml, line 2: set.chanel: a touchpoint has the fields tenant"),
        ("[rename]\nemail = 'nowhere'", "fix.toml, line 2: rename.email: write"),
        ("[drop]\nidentifiers = 'phone'", "fix.toml, line 2: drop.identifiers: write a list of texts"),
        ("[drop]\nfields = ['nothing']", "fix.toml, line 2: drop.fields: 'nothing' is no field"),
        ("[clamp]\nlatest = 'soon'", "fix.toml, line 2: clamp.latest: latest is 'soon': write ISO 8601"),
        ("[clamp]\nlater = 1", "fix.toml, line 2: clamp.later: clamp has earliest and latest"),
    ],
)
def test_a_slip_is_named_with_its_line(text: str, sentence: str) -> None:
    with pytest.raises(SettingsError) as refused:
        fix(text)

    assert str(refused.value).startswith(sentence)
