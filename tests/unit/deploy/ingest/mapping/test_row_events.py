"""Mappings by which a row is several touchpoints, or none; and what is said of those that are wrong."""

from pathlib import Path
from typing import Any

import pytest

from deploy.ingest.mapping.file import parse_mapping
from deploy.ingest.mapping.row_events import SourceMapping
from deploy.ingest.touchpoint_files import TouchpointFiles
from schemas.errors import ContractError, SettingsError

NOW = 1_772_400_000_000
CASES = """
empty = ["-"]
[constants]
source = "desk"
type = "issue_updated"
[columns]
event_id = "id"
channel = "via"
occurred_at = "opened"
[identifiers]
email = "from"
[attributes]
queue = "queue"
[unless]
state = ["spam", "test"]
[lookup.channel]
Mail = "email"
[[events]]
name = "opened"
constants.type = "issue_opened"
[[events]]
name = "solved"
when.solved = true
when.state = "done"
constants = { type = "issue_solved", channel = "web" }
columns.occurred_at = "solved"
identifiers.customer_id = "customer"
attributes.agent = "agent"
"""
ROW = {
    "id": "7", "via": "Mail", "from": "ann@example.com", "state": "done", "opened": "2026-03-01T09:00:00Z",
    "solved": "2026-03-02T09:00:00Z", "customer": "c1", "agent": "sam", "queue": "q",
}  # fmt: skip


def cases(change: str = "", to: str = "") -> SourceMapping:
    assert change in CASES
    return parse_mapping(CASES.replace(change, to, 1) if change else CASES, "m.toml")


def events(which: SourceMapping | None = None, **cells: Any) -> list[dict[str, Any]]:
    return (which or cases()).events({**ROW, **cells}, NOW)


def test_each_event_has_its_own_entries_over_those_of_the_file() -> None:
    opened, solved = events()
    assert (opened["event_id"], solved["event_id"]) == ("7-opened", "7-solved")
    assert (opened["type"], solved["type"]) == ("issue_opened", "issue_solved")
    assert (opened["channel"], solved["channel"]) == ("email", "web")
    assert solved["occurred_at"] - opened["occurred_at"] == 86_400_000
    assert [one["type"] for one in opened["identifiers"]] == ["email"]
    assert [one["type"] for one in solved["identifiers"]] == ["email", "customer_id"]
    assert (opened["attributes"], solved["attributes"]) == ({"queue": "q"}, {"queue": "q", "agent": "sam"})


@pytest.mark.parametrize(
    ("cells", "names"),
    [
        ({"solved": ""}, ["opened"]),
        ({"solved": "-"}, ["opened"]),
        ({"state": "new"}, ["opened"]),
        ({"state": "spam"}, []),
        ({"state": "test"}, []),
    ],
)
def test_conditions_decide_which_events_a_row_is(cells: dict[str, str], names: list[str]) -> None:
    assert [event["event_id"].partition("-")[2] for event in events(**cells)] == names


def test_a_row_that_is_nothing_is_left_out_and_counted_and_one_that_is_half_wrong_is_rejected_whole(
    tmp_path: Path,
) -> None:
    lines = [
        ",".join(ROW),
        *(",".join({**ROW, **one}.values()) for one in ({}, {"state": "spam"}, {"solved": "soon"})),
    ]
    (tmp_path / "a.csv").write_text("\n".join(lines) + "\n")
    files = TouchpointFiles([str(tmp_path / "a.csv")], cases())
    found = [
        (sourced.entry.line, sourced.touchpoint is not None, sourced.place is not None) for sourced in files
    ]
    assert found == [(2, True, False), (2, True, True), (4, False, True)]
    assert files.left_out == 1


def test_a_derived_event_id_is_the_rows_and_the_events_name() -> None:
    which = parse_mapping('derive_event_id = ["id"]\n' + CASES.replace('event_id = "id"\n', ""), "m.toml")
    opened, solved = events(which)
    assert opened["event_id"].removesuffix("-opened") == solved["event_id"].removesuffix("-solved")
    assert events(which, queue="other")[0]["event_id"] == opened["event_id"]
    assert events(which, id="8")[0]["event_id"] != opened["event_id"]


def test_a_row_without_its_event_id_is_refused() -> None:
    with pytest.raises(ContractError, match="event_id is missing"):
        events(id="")


REPEATED = """
derive_event_id = ["visit"]
emails_as = "email"
optional = ["url {n}"]
[constants]
source = "web"
channel = "web"
[identifiers]
customer_id = "user"
[[events]]
name = "action"
repeat = "time {n}"
columns = { occurred_at = "time {n}", type = "kind {n}" }
attributes.url = "url {n}"
"""


def test_a_row_repeats_an_event_up_to_the_first_that_is_empty() -> None:
    which = parse_mapping(REPEATED, "m.toml")
    row = {"visit": "1", "user": "ann@example.com"}
    for number, time in enumerate(["2026-03-01", "2026-03-02", "", "2026-03-04"]):
        row |= {f"time {number}": time, f"kind {number}": f"k{number}", f"url {number}": f"/{number}"}
    found = which.events(row, NOW)
    assert [(event["type"], event["attributes"]["url"]) for event in found] == [("k0", "/0"), ("k1", "/1")]
    assert [event["event_id"].rpartition("-action-")[2] for event in found] == ["0", "1"]
    assert found[0]["identifiers"] == [{"type": "email", "value": "ann@example.com"}]
    assert which.needed() == {"visit", "user"}
    assert which.events({"visit": "2", "user": "u"}, NOW) == []


def test_the_first_column_that_is_filled_counts_and_json_cells_are_read() -> None:
    text = """
derive_event_id = true
json_columns = ["body"]
[constants]
source = "s"
channel = "web"
[columns]
occurred_at = { first = ["true_time", "time"] }
type = "body.kind"
[identifiers]
cookie = "c"
"""
    which = parse_mapping(text, "m.toml")
    row = {"time": "2026-03-01", "true_time": "", "body": '{"kind": "login"}', "c": "1"}
    assert which.apply(row)["type"] == "login"
    assert (
        which.apply({**row, "true_time": "2026-03-02"})["occurred_at"] - which.apply(row)["occurred_at"]
        == 86_400_000
    )
    with pytest.raises(ContractError, match="column 'body' is not JSON"):
        which.apply({**row, "body": "{"})
    with pytest.raises(SettingsError, match=r"names the column 'body\.kind'"):
        parse_mapping(text.replace('json_columns = ["body"]', ""), "m.toml").check_columns(
            ["time", "c", "body"], "a.csv"
        )
    which.check_columns(["time", "c", "body"], "a.csv")


@pytest.mark.parametrize(
    ("change", "to", "says"),
    [
        (
            '[[events]]\nname = "opened"\nconstants.type = "issue_opened"\n[[events]]',
            "[[also]]",
            "unknown key 'also'",
        ),
        ('name = "opened"\n', "", r"events 1 has no name: add name ="),
        ('name = "solved"', 'name = "opened"', "two events have one name"),
        ('name = "solved"', 'name = "solved"\nwen.x = 1', r"events solved.wen is unknown: did you mean when"),
        ('name = "solved"', 'name = "solved"\nrepeat = "x"', r"repeat is 'x': write \{n\}"),
        ('name = "solved"', 'name = "solved"\non = ["insert"]', "rows are no change data"),
        ('when.state = "done"', "when.state = 1.5", r"events solved: when: 'state' is 1.5: write a text"),
        ('columns.occurred_at = "solved"', "columns = 1", "events solved: columns is not a table"),
        ('state = ["spam", "test"]', "state = []", r"unless: 'state' is \[\]"),
        (
            'occurred_at = "opened"',
            'occurred_at = { frist = "x" }',
            r"columns.occurred_at is a table: write \{ first",
        ),
        ('occurred_at = "opened"\n', "", "nothing says what occurred_at is"),
        ('event_id = "id"\n', "", "the event id must come from one place"),
        ('empty = ["-"]', 'empty = "-"', "empty is not a list of column names"),
        ('empty = ["-"]', 'header = ["a", "a"]', "header names a column twice"),
        ('empty = ["-"]', "quotes = 1", "quotes is 1: write true"),
        ('empty = ["-"]', "emails_as = 1", "emails_as is 1: name an identifier type"),
        ('empty = ["-"]', "change = 1", r"change is not a table: begin it with \[change\]"),
    ],
)
def test_a_slip_names_the_key_and_the_fix(change: str, to: str, says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        cases(change, to)


def test_events_that_are_no_list_are_refused() -> None:
    with pytest.raises(
        SettingsError, match=r"events is no list of tables: begin each of them with \[\[events\]\]"
    ):
        parse_mapping(CASES.partition("[[events]]")[0] + '[events]\nname = "x"\n', "m.toml")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('messages = "posthog"\n[constants]\nsource = "x"', "messages is 'posthog': use \"segment\""),
        ('messages = "segment"', "nothing says what source is"),
        ('messages = "segment"\n[constants]\nsource = "x"\ntype = "y"', "constants.type is unknown"),
        (
            'messages = "segment"\nmapping = "none.toml"\n[constants]\nsource = "x"',
            "none.toml cannot be read",
        ),
    ],
)
def test_a_slip_in_a_mapping_of_messages_names_the_key_and_the_fix(text: str, says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        parse_mapping(text, "m.toml")


MESSAGES = 'messages = "segment"\n[constants]\nsource = "x"'
CHANGES = """
derive_event_id = true
[change]
[constants]
source = "x"
channel = "x"
type = "x"
[columns]
occurred_at = "change.time"
[identifiers]
cookie = "c"
"""


@pytest.mark.parametrize("text", [MESSAGES, CHANGES])
def test_messages_and_change_data_are_not_read_from_csv(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.csv").write_text("a\n1\n")
    with pytest.raises(
        SettingsError, match=r"a\.csv is CSV, and this mapping reads messages, which are JSON Lines"
    ):
        list(TouchpointFiles([str(tmp_path / "a.csv")], parse_mapping(text, "m.toml")))
