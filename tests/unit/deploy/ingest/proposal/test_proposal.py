"""`touchline mapping new`: what is proposed for a file is a mapping that `publish` takes as it is."""

import csv
import gzip
import io
import json
import re
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet
from typer.testing import Result

from deploy.cli.mapping import list_shipped, new, show
from deploy.ingest.mapping.file import parse_mapping, shipped
from deploy.ingest.mapping.row_events import Table
from deploy.ingest.proposal.propose import Proposal, propose
from deploy.ingest.reading.lines import SourceError
from deploy.ingest.touchpoint_files import TouchpointFiles
from schemas.errors import SettingsError, TouchlineError
from schemas.records import Touchpoint
from tests.support.built_in import CATALOGUE
from tests.support.exports import sample
from tests.support.running import invoke

NOW = 1_775_000_000_000
SHOP = [
    ["OrderNo", "Datum", "Kunden-Nr", "E-Mail", "Kanal/Channel", "Event", "Betrag", "Currency", "Comment"],
    [
        "A-1",
        "01.03.2026 10:30",
        "17.0",
        "ann@example.com",
        "web",
        "Order Placed",
        "1.299,90",
        "EUR",
        "free text, long",
    ],
    ["A-2", "28.03.2026 11:00", "18.0", "bob@example.com", "shop", "Order Placd", "5,00", "EUR", "NULL"],
    ["A-3", "29.03.2026 11:00", "19.0", "eve@example.com", "web", "Order Placed", "7,50", "EUR", "NULL"],
]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TOUCHLINE_PSEUDONYM_KEY", "0123456789abcdef" * 4)


def to_csv(rows: list[list[str]], delimiter: str = ",") -> str:
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, lineterminator="\r\n").writerows(rows)
    return text.getvalue()


def proposed(name: str) -> Proposal:
    return propose(name, None, CATALOGUE, NOW)


def touchpoints(name: str, found: Proposal) -> list[Touchpoint]:
    """What the proposal makes of the file, as it is."""
    files = TouchpointFiles([name], parse_mapping(found.text, "proposal"), clock=lambda: NOW)
    return [sourced.touchpoint for sourced in files if sourced.touchpoint]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_delimiter_encoding_times_amounts_and_names_are_seen(encoding: str, delimiter: str) -> None:
    rows = [[*row, "Größe"] if row is SHOP[0] else [*row, "groß"] for row in SHOP]
    Path("a.csv").write_bytes(to_csv(rows, delimiter).encode(encoding))
    found = proposed("a.csv")
    assert (found.taken, found.refusal) == (3, "")
    first, second, _ = touchpoints("a.csv", found)
    assert (first["order_id"], first["amount_minor"], first["currency"]) == ("A-1", 129990, "EUR")
    assert first["identifiers"] == [
        {"type": "email", "value": "ann@example.com"}, {"type": "customer_id", "value": "17"},
    ]  # fmt: skip
    assert (first["channel"], first["type"], second["channel"]) == ("web", "Order Placed", "shop")
    assert second["occurred_at"] - first["occurred_at"] == 27 * 86_400_000 + 30 * 60_000
    assert first["attributes"] == {"Größe": "groß"}
    assert '# "Order Placd" = "order_placed"' in found.text
    assert 'empty = ["NULL"]' in found.text
    assert 'zone = "UTC"                  # the times name none: check this one' in found.text


@pytest.mark.parametrize(
    ("texts", "form"),
    [
        (["2026-03-01T09:30:00Z", "2026-03-01 09:30"], "iso"),
        (["1772357400", "1772357401.5"], "epoch_s"),
        (["1772357400123"], "epoch_ms"),
        (["1772357400123456"], "epoch_us"),
        (["1772357400123456789"], "epoch_ns"),
        (["31.03.2026"], "%d.%m.%Y"),
        (["03/31/2026 10:00"], "%m/%d/%Y %H:%M"),
        (["31/03/2026 10:00"], "%d/%m/%Y %H:%M"),
        (["3/31/26 2:30 PM"], "%m/%d/%y %I:%M %p"),
    ],
)
def test_the_time_format_is_the_one_that_fits_all_cells(texts: list[str], form: str) -> None:
    Path("a.csv").write_text(to_csv([["at", "user_id"], *([text, f"u{n}"] for n, text in enumerate(texts))]))
    found = proposed("a.csv")
    assert f'format = "{form}"' in found.text
    assert found.taken == len(texts)


def test_a_day_and_a_month_that_could_be_exchanged_are_pointed_at() -> None:
    Path("a.csv").write_text(to_csv([["at", "user_id"], ["03/04/2026 10:00", "u"]]))
    assert '# In this sample "%m/%d/%Y %H:%M" fits as well: check which it is.' in proposed("a.csv").text
    Path("a.csv").write_text(to_csv([["at", "user_id"], ["13/04/2026 10:00", "u"]]))
    assert "fits as well" not in proposed("a.csv").text


def test_an_event_id_is_a_column_that_is_different_in_every_row_else_it_is_derived() -> None:
    Path("a.csv").write_text(
        to_csv([["id", "at", "user_id"], ["1", "2026-03-01", "u"], ["2", "2026-03-01", "u"]])
    )
    assert 'event_id = "id"   # it is different in every row' in proposed("a.csv").text
    Path("a.csv").write_text(
        to_csv([["id", "at", "user_id"], ["1", "2026-03-01", "u"], ["1", "2026-03-01", "u"]])
    )
    assert "derive_event_id = true" in proposed("a.csv").text


def test_a_file_without_a_header_gets_names_for_its_columns() -> None:
    Path("a.csv").write_text(to_csv(SHOP[1:]))
    found = proposed("a.csv")
    assert 'header = ["column_1", "column_2"' in found.text
    assert found.taken == 3
    assert touchpoints("a.csv", found)[0]["identifiers"] == [{"type": "email", "value": "ann@example.com"}]


def test_nested_json_parquet_and_gz_are_looked_into() -> None:
    rows: list[dict[str, Any]] = [
        {"event": {"name": "login", "time": "2026-03-01T09:30:00Z"}, "visitor": {"id": f"v{n}"}, "more": [1]}
        for n in range(3)
    ]
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    Path("a.jsonl").write_text(lines)
    Path("b.ndjson.gz").write_bytes(gzip.compress(lines.encode(), mtime=0))
    parquet.write_table(pa.Table.from_pylist(rows), "c.parquet")
    for name in ("a.jsonl", "b.ndjson.gz", "c.parquet"):
        found = proposed(name)
        assert found.taken == 3, found
        assert [event["type"] for event in touchpoints(name, found)] == ["login"] * 3


@pytest.mark.parametrize("name", shipped())
def test_the_sample_of_each_shipped_mapping_gets_a_proposal_that_is_taken_as_it_is(name: str) -> None:
    found = proposed(str(sample(name)))
    assert parse_mapping(found.text, "proposal")
    assert (found.taken, found.refusal) == (found.rows, "")


@pytest.mark.parametrize("name", ["ga4", "matomo", "plausible", "zendesk", "salesforce", "genesys"])
def test_a_file_that_a_shipped_mapping_reads_is_said_so(name: str) -> None:
    assert f"the shipped mapping {name} reads: --mapping {name}" in proposed(str(sample(name))).text


def test_messages_and_change_data_are_seen_as_what_they_are() -> None:
    assert 'messages = "segment"' in proposed(str(sample("rudderstack"))).text
    found = proposed(str(sample("debezium-orders")))
    assert 'tables = ["orders"]' in found.text
    assert 'customer_id = "customer_id"' in found.text


def test_columns_that_may_hold_personal_data_become_no_attribute() -> None:
    head = ["at", "user_id", "First Name", "street", "plan", "IP"]
    rows = [["2026-03-01", f"u{n}", "Ann", "Main St", "pro", "203.0.113.1"] for n in range(5)]
    Path("a.csv").write_text(to_csv([head, *rows]))
    text = proposed("a.csv").text
    assert 'plan = "plan"' in text
    assert not re.search("First Name|street|IP|203", text.partition("[attributes]")[2])


CELLS = st.text(st.characters(codec="utf-8", exclude_characters="\r\n\0"), max_size=12) | st.sampled_from(
    [
        "2026-03-01",
        "1772357400",
        "ann@example.com",
        "1.5",
        "-",
        "NULL",
        "EUR",
        "web",
        "+49 151 12345678",
        '"',
        "=",
    ]
)


@settings(max_examples=60)
@given(
    names=st.lists(CELLS.filter(str.strip), min_size=1, max_size=6, unique_by=str.strip),
    cells=st.lists(st.lists(CELLS, min_size=6, max_size=6), min_size=1, max_size=5),
)
def test_whatever_the_columns_a_proposal_is_a_mapping(names: list[str], cells: list[list[str]]) -> None:
    rows = [dict(zip(names, row, strict=False)) for row in cells]
    Path("a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = proposed("a.jsonl")
    assert parse_mapping(found.text, "proposal")
    assert len(touchpoints("a.jsonl", found)) == found.taken


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "a.csv is empty"),
        (b"a,b\n", "has no row from which a mapping could be proposed"),
        (b'a\n"x', "has no row from which a mapping could be proposed: a quoted cell does not close"),
        (b"PK\x03\x04", "begins as an Excel or ZIP file does"),
        (b"a,a\n1,2\n", "must name each column once"),
    ],
)
def test_a_file_from_which_nothing_can_be_proposed_is_one_sentence(data: bytes, says: str) -> None:
    Path("a.csv").write_bytes(data)
    with pytest.raises((SourceError, TouchlineError), match=says):
        proposed("a.csv")


def run(*arguments: str) -> Result:
    return invoke(new, *arguments)


@pytest.mark.parametrize("lines", ["[1, 2]", "1", '"x"', "null", "true", '[{"a": 1}]', "1\n[2]\nnull"])
def test_json_lines_that_are_no_objects_are_one_sentence(lines: str) -> None:
    Path("x.jsonl").write_text(lines)
    with pytest.raises(TouchlineError, match=r"no row from which .*: each line must be a JSON object"):
        proposed("x.jsonl")


def test_json_lines_that_are_no_objects_do_not_hide_those_that_are() -> None:
    Path("x.jsonl").write_text('[1]\n{"id": 7, "at": "2026-03-01"}\nnull\n')
    made = proposed("x.jsonl")
    assert 'occurred_at = "at"' in made.text
    assert (made.rows, made.taken) == (3, 1)


CHANGE: dict[str, Any] = {"op": "c", "before": None, "source": {"table": "t", "lsn": 1, "ts_ms": NOW}}


@pytest.mark.parametrize("value", [{"": 1}, {"": {"a": 1}}, {"": 1, "id": 7, "at": "2026-03-01"}])
def test_a_column_without_a_name_is_left_out_and_said_so(value: dict[str, Any]) -> None:
    for row in (value, {**CHANGE, "after": value}):
        Path("x.jsonl").write_text(json.dumps(row))
        assert "# A column has the empty name: no mapping can name it" in proposed("x.jsonl").text


@pytest.mark.parametrize("value", [{}, {"a": []}, {"a": {}}, {"a": None}, {"a": {"": 1}}])
def test_rows_without_a_cell_get_a_mapping_to_fill_in(value: dict[str, Any]) -> None:
    for row in (value, {**CHANGE, "after": value}):
        Path("x.jsonl").write_text(json.dumps(row))
        assert "customer_id = " in proposed("x.jsonl").text


def test_the_name_of_another_table_stays_in_its_comment() -> None:
    sources = [{**CHANGE["source"], "table": table} for table in ("t", "t", 'x"\ny = 1')]
    Path("x.jsonl").write_text(
        "".join(json.dumps({**CHANGE, "after": {"id": 1}, "source": one}) + "\n" for one in sources)
    )
    assert parse_mapping(proposed("x.jsonl").text, "the proposal").change == Table(("t",))


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(-1e9, 1e9) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=100)
@given(st.lists(JSON_VALUES, min_size=1, max_size=3), st.booleans())
def test_whatever_the_json_lines_are_a_proposal_is_a_mapping_or_one_sentence(
    values: list[Any], changes: bool
) -> None:
    lines = [{**CHANGE, "after": value} for value in values] if changes else values
    Path("x.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    try:
        parse_mapping(proposed("x.jsonl").text, "the proposal")
    except TouchlineError as refused:
        if "has no row from which a mapping could be proposed" not in str(refused):
            raise


def test_the_command_prints_or_writes_the_proposal_and_says_how_many_rows_it_takes() -> None:
    Path("a.csv").write_text(
        to_csv([*SHOP, ["A-4", "soon", "1", "x@example.com", "web", "e", "1", "EUR", ""]])
    )
    printed = run("a.csv")
    assert parse_mapping(printed.stdout, "out")
    assert "of the first 4 rows would be taken" in printed.stderr
    assert run("a.csv", "--out", "m.toml").stdout == ""
    assert Path("m.toml").read_text() == printed.stdout
    with pytest.raises(TouchlineError, match=r"m\.toml is there already"):
        run("a.csv", "--out", "m.toml")


def test_shipped_mappings_are_listed_and_shown() -> None:
    listed = invoke(list_shipped).stdout.splitlines()
    assert [line.split()[0] for line in listed] == shipped()
    assert parse_mapping(invoke(show, "ga4").stdout, "shown")
    with pytest.raises(SettingsError, match="no mapping 'ga5' is shipped: there are debezium-customers"):
        invoke(show, "ga5")


@pytest.mark.parametrize(
    ("column", "odd"), [("Datum", "soon"), ("Datum", "13/2026"), ("Betrag", "free"), ("E-Mail", "unknown")]
)
def test_an_odd_cell_costs_its_row_and_not_the_column(column: str, odd: str) -> None:
    rows = [SHOP[0]] + [[f"A-{number}", *SHOP[1][1:]] for number in range(20)]
    Path("clean.csv").write_text(to_csv(rows))
    rows[7][SHOP[0].index(column)] = odd
    Path("odd.csv").write_text(to_csv(rows))
    clean, found = proposed("clean.csv"), proposed("odd.csv")

    assert found.text == clean.text
    assert found.taken >= clean.taken - 1


def test_a_proposal_that_takes_no_row_ends_with_1() -> None:
    Path("odd.csv").write_text("a,b\nx,y\nz,w\n")

    assert invoke(new, "odd.csv").exit_code == 1
