"""Which records `touchline tail` shows, and how a line of it looks."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.screens.tail.lines import document, line
from deploy.screens.tail.selection import CHANGE_KINDS, Person, Selection, doubt, select
from deploy.screens.tail.streams import STREAMS, Item, read
from schemas.encoding.codec import encode
from schemas.encoding.registry import current
from schemas.errors import ContractError, SettingsError
from schemas.headers import VERSION
from schemas.profile_ids import own_profile
from tests.support.examples import example
from tests.support.kafka_records import Consumed

TERMINAL = 80
STATE, SIGNAL, CHANGE = (example(name) for name in ("JourneyState", "JourneySignal", "ProfileChanged"))
COOKIE = {"type": "cookie", "value": "ck-1"}


def item(stream: str, record: dict[str, Any] | None, **fields: Any) -> Item:
    subject = "p" if record is None else record[STREAMS[stream].subject]
    return Item(**{"at": 0, "partition": 0, "offset": 7, "tenant": "default", "subject": subject, "version": 3,
                   "record": record, **fields})  # fmt: skip


def chosen(stream: str, **options: Any) -> Selection:
    nothing = dict.fromkeys(("tenant", "profile", "person", "stage", "kind", "where"))
    return select(STREAMS[stream], **(nothing | options))


def test_without_options_everything_is_shown() -> None:
    for stream, record in (("states", STATE), ("signals", SIGNAL), ("changes", CHANGE), ("states", None)):
        assert chosen(stream).takes(item(stream, record))


def test_all_that_is_given_must_hold() -> None:
    state = STATE | {"stage": "purchase", "friction": 7.0}
    assert chosen("states", stage="purchase", where="friction > 5").takes(item("states", state))
    assert not chosen("states", stage="purchase", where="friction > 9").takes(item("states", state))
    assert not chosen("states", stage="lead", where="friction > 5").takes(item("states", state))
    assert not chosen("states", tenant="acme").takes(item("states", state))
    assert chosen("signals", kind="ABANDONED_CART").takes(
        item("signals", SIGNAL | {"kind": "abandoned_cart"})
    )


def test_a_tombstone_has_no_stage_and_meets_no_condition() -> None:
    gone = item("states", None)
    assert chosen("states", profile="p").takes(gone)
    assert not chosen("states", stage="purchase").takes(gone)
    assert not chosen("states", where="friction >= 0").takes(gone)


def test_a_profile_is_meant_wherever_a_record_names_it() -> None:
    merged = CHANGE | {"profile_id": "a", "others": ["b", "c"]}
    moved = SIGNAL | {"profile_id": "a", "successor": "b"}
    account = example("AccountState") | {"member_ids": ["a", "b"]}
    for stream, record in (("changes", merged), ("signals", moved), ("accounts", account)):
        assert chosen(stream, profile="b").takes(item(stream, record))
        assert not chosen(stream, profile="z").takes(item(stream, record))


@pytest.mark.parametrize(
    ("stream", "option"),
    [("signals", "stage"), ("states", "kind"), ("accounts", "kind"), ("accounts", "stage")],
)
def test_an_option_that_the_stream_does_not_know_is_one_sentence(stream: str, option: str) -> None:
    with pytest.raises(SettingsError, match=f"{stream} cannot be chosen by --{option}: that is for"):
        chosen(stream, **{option: "x"})


def test_a_change_is_of_one_of_three_kinds() -> None:
    assert set(CHANGE_KINDS) == set(symbols("ProfileChanged", "kind"))
    assert chosen("changes", kind="merged").takes(item("changes", CHANGE | {"kind": "MERGED"}))
    with pytest.raises(SettingsError, match="--kind is 'merge': a change is merged, split, erased"):
        chosen("changes", kind="merge")


def test_a_name_that_nothing_here_has_is_doubted_with_the_nearest_one() -> None:
    assert doubt("--kind", "Abandoned_Cart", ["abandoned_cart"]) is None
    assert (said := doubt("--kind", "abandond_cart", ["abandoned_cart", "detractor"])) is not None
    assert said.endswith("so nothing may come: did you mean abandoned_cart?")
    assert (said := doubt("--stage", "x", ["purchase", "intent"])) is not None
    assert said.endswith("they name intent, purchase")


def symbols(record: str, field: str) -> list[str]:
    (found,) = (one["type"]["symbols"] for one in current()[record]["fields"] if one["name"] == field)
    return found


def assignment(profile_id: str, **fields: Any) -> Any:
    return example("IdentityAssignment") | {
        "tenant": "default", "identifier": COOKIE, "profile_id": profile_id, "contested_from": None,
        "contested_profile_id": None, **fields,
    }  # fmt: skip


def test_a_person_is_followed_from_the_own_profile_through_merges_and_sharing() -> None:
    person = Person("default", COOKIE)
    selection = chosen("signals", person=person)
    own = own_profile("default", ("cookie", "ck-1"))

    def shown(profile_id: str, tenant: str = "default") -> bool:
        return selection.takes(item("signals", SIGNAL | {"profile_id": profile_id}, tenant=tenant))

    assert shown(own)
    assert not shown("other")
    person.note(assignment("first"))
    person.note(assignment("second", contested_from=5, contested_profile_id="third"))
    person.note(assignment("stranger", identifier={"type": "cookie", "value": "ck-2"}))
    person.note(assignment("foreign", tenant="acme"))
    assert [shown(one) for one in ("first", "second", "third", "stranger", "foreign")] == [True] * 3 + [
        False
    ] * 2
    assert not shown("first", tenant="acme")


def test_a_state_that_has_the_identifier_is_the_persons_even_before_its_assignment_is_read() -> None:
    selection = chosen("states", person=Person("default", COOKIE))
    assert selection.takes(item("states", STATE | {"profile_id": "new", "identifiers": [COOKIE]}))
    assert selection.takes(item("states", None, subject="new")), "its end is told, too"
    assert not selection.takes(item("states", STATE | {"profile_id": "x", "identifiers": []}))


def test_a_tombstone_is_read_with_its_version_and_one_without_is_refused() -> None:
    record = Consumed(topic="journey-states", key=b"acme/p1", value=None, headers=((VERSION, b"12"),))
    found = read(STREAMS["states"], record)
    assert (found.tenant, found.subject, found.version, found.record) == ("acme", "p1", 12, None)
    with pytest.raises(ContractError):
        read(STREAMS["states"], Consumed(topic="journey-states", key=b"acme/p1", value=None, headers=()))


@pytest.mark.parametrize("stream", STREAMS)
def test_a_line_fits_80_columns_and_a_wide_one_has_the_whole_id(stream: str) -> None:
    record = example(STREAMS[stream].record)
    found = item(stream, record)
    narrow = line(STREAMS[stream], found, TERMINAL)
    assert narrow.cell_len <= TERMINAL
    assert found.subject in line(STREAMS[stream], found, None).plain
    assert line(STREAMS[stream], item(stream, None), TERMINAL).plain.startswith("00:00:00  p  gone")
    assert document(STREAMS[stream], found)["record"] == record


def test_a_retraction_says_why_and_where_its_subject_went() -> None:
    retracted = SIGNAL | {"status": "RETRACTED", "reason": "MOVED", "successor": "12345678-9"}
    assert "retracted" in line(STREAMS["signals"], item("signals", retracted), TERMINAL).plain
    assert "moved to 12345678" in line(STREAMS["signals"], item("signals", retracted), TERMINAL).plain


@given(st.text(max_size=30), st.integers(20, 200))
def test_no_text_of_a_record_moves_the_cursor_or_breaks_the_line(text: str, width: int) -> None:
    hostile = SIGNAL | {"kind": text, "rule": text, "event_ids": [text, "\x1b[2J", "\r\n\u202e"]}
    shown = line(STREAMS["signals"], item("signals", hostile), width)
    assert shown.cell_len <= width
    assert not set(shown.plain) & set("\x1b\r\n\u2028\u202e\x9b")


def test_an_example_of_each_stream_is_read_as_it_is_encoded() -> None:
    for stream in STREAMS.values():
        record = example(stream.record)
        found = read(stream, Consumed(topic=stream.topic.name, key=b"k", value=encode(stream.record, record)))
        assert (found.record, found.version) == (record, record["version"])
