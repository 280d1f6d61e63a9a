"""Mapping files: what they make of a row, and what they say when they are wrong."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from deploy.ingest.mapping.file import load_mapping
from deploy.ingest.touchpoint_files import read_touchpoints
from schemas.catalogue import Catalogue
from schemas.errors import ContractError, SettingsError
from schemas.touchpoint.json_form import from_json
from schemas.touchpoint.rules import check
from tests.support.shop import ROW, mapping, read
from tests.support.touchpoints import START

ECOM_MAPPING = Path("deploy/ingest/examples/ecom.toml")
ECOM = Path("../shared/data/ecom.csv.gz")


def test_a_row_becomes_a_touchpoint() -> None:
    found = read(mapping())
    assert found["type"] == "order_placed"
    assert found["identifiers"] == [{"type": "customer_id", "value": "u1"}, {"type": "cookie", "value": "b"}]
    assert (found["amount_minor"], found["currency"]) == (1299, "EUR")
    assert found["attributes"] == {"colour": "red"}
    assert (found["tenant"], found["source"], found["received_at"]) == ("default", "shop", START)
    assert found["occurred_at"] == START + 3_600_000


def test_what_the_lookup_does_not_name_stays_as_it_is() -> None:
    assert read(mapping(), what="product_view")["type"] == "product_view"


def test_an_empty_cell_is_left_out() -> None:
    assert read(mapping(), cents="")["amount_minor"] is None


def test_cells_are_trimmed_unless_they_are_to_be_kept() -> None:
    assert read(mapping(), user=" u1\t", colour="\xa0")["identifiers"][0]["value"] == "u1"
    assert read(mapping(), colour=" \xa0")["attributes"] == {}
    kept = mapping("derive_event_id = true", "derive_event_id = true\ntrim = false")
    assert read(kept, user=" u1\t")["identifiers"][0]["value"] == " u1\t"


def test_the_derived_id_does_not_depend_on_white_space_that_is_trimmed() -> None:
    assert mapping().apply({**ROW, "user": " u1 "})["event_id"] == mapping().apply(ROW)["event_id"]
    kept = mapping("derive_event_id = true", "derive_event_id = true\ntrim = false")
    assert kept.apply({**ROW, "user": " u1 "})["event_id"] != kept.apply(ROW)["event_id"]


def test_a_survey_answer_may_have_its_kind_in_a_column() -> None:
    which = mapping(
        "[constants]",
        '[score]\nvalue = "stars"\nkind_column = "survey"\n[lookup.score]\nx = "csat"\n[constants]',
    )
    assert read(which, stars="4", survey="x")["score"] == {"kind": "CSAT", "value": 4.0}
    assert read(which, stars="", survey="x")["score"] is None
    for stars, says in (
        ("4", "score.kind must be"),
        ("nan", "score.value is 'nan'"),
        ("1_0", "score.value is '1_0'"),
    ):
        with pytest.raises(ContractError, match=says):
            read(which, stars=stars, survey="y")


def test_a_column_of_that_name_goes_before_a_path() -> None:
    which = mapping('customer_id = "user"', 'customer_id = "user.id"')
    nested: dict[str, Any] = {**ROW, "user": {"id": 7}}
    assert from_json(which.apply(nested), START)["identifiers"][0]["value"] == "7"
    assert from_json(which.apply({**nested, "user.id": 8}), START)["identifiers"][0]["value"] == "8"


@pytest.mark.parametrize("row", [[1], "text", None, 3])
def test_a_json_row_that_is_no_object_is_refused(row: object) -> None:
    with pytest.raises(ContractError, match="a row is a JSON object"):
        mapping().apply(row)


@pytest.mark.parametrize(
    ("column", "required"),
    [("user", True), ("browser", True), ("when", True), ("colour", False), ("money", False)],
)
def test_a_column_that_no_json_line_has_is_found(tmp_path: Path, column: str, required: bool) -> None:
    file = tmp_path / "a.jsonl"
    row = {name: cell for name, cell in ROW.items() if name != column}
    file.write_text(json.dumps(row) + "\n" + json.dumps({**row, "new": 1}) + "\n[]\n")
    sources = read_touchpoints([str(file)], mapping())
    assert len(list(sources)) == 3
    assert (sources.unseen(), sources.lacks_required()) == ([column], required)


def test_a_column_that_one_line_has_is_not_missed_even_if_it_is_null(tmp_path: Path) -> None:
    first, second = tmp_path / "a.jsonl", tmp_path / "b.jsonl"
    first.write_text(json.dumps({name: cell for name, cell in ROW.items() if name != "colour"}))
    second.write_text(json.dumps({**ROW, "colour": None}))
    sources = read_touchpoints([str(first), str(second)], mapping())
    assert all(sourced.touchpoint for sourced in sources)
    assert sources.unseen() == []


def test_without_a_line_no_column_is_missed(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text("\n")
    sources = read_touchpoints([str(tmp_path / "a.jsonl")], mapping())
    assert (list(sources), sources.unseen(), sources.lacks_required()) == ([], [], False)


def test_the_derived_id_is_equal_for_equal_rows_only_in_whatever_order_of_columns() -> None:
    which = mapping()
    same = which.apply(dict(reversed(ROW.items())))["event_id"]
    assert which.apply(ROW)["event_id"] == same
    assert which.apply({**ROW, "ignored": "y"})["event_id"] != same


def test_the_id_may_be_derived_from_some_columns() -> None:
    which = mapping("derive_event_id = true", 'derive_event_id = ["user", "when"]')
    assert which.apply({**ROW, "colour": "blue"})["event_id"] == which.apply(ROW)["event_id"]
    assert which.apply({**ROW, "user": "u2"})["event_id"] != which.apply(ROW)["event_id"]


def test_the_same_row_of_another_source_is_another_touchpoint() -> None:
    other = mapping('source = "shop"', 'source = "till"')
    assert other.apply(ROW)["event_id"] != mapping().apply(ROW)["event_id"]


def test_a_nested_value_in_a_json_row_is_refused() -> None:
    with pytest.raises(ContractError, match="'user' is not a plain value"):
        mapping().apply({**ROW, "user": {"id": 1}})


def test_numbers_and_nulls_of_a_json_row_are_read_as_text() -> None:
    found = from_json(mapping().apply({**ROW, "user": 7, "colour": None, "cents": 5}), START)
    assert found["identifiers"][0] == {"type": "customer_id", "value": "7"}
    assert (found["attributes"], found["amount_minor"]) == ({}, 5)


@pytest.mark.parametrize(
    ("change", "to", "says"),
    [
        ("[identifiers]", "[identifier]", "unknown key 'identifier'"),
        (
            'occurred_at = "when"',
            'ocurred_at = "when"',
            "columns.ocurred_at is unknown: did you mean occurred_at",
        ),
        ('occurred_at = "when"', "", "nothing says what occurred_at is"),
        ('type = "what"', "type = 3", "columns.type is not a column name"),
        ("derive_event_id = true", "", "event id must come from one place"),
        ('type = "what"', 'type = "what"\nevent_id = "id"', "event id must come from one place"),
        ("derive_event_id = true", "derive_event_id = []", "empty list"),
        ("derive_event_id = true", "derive_event_id = 3", "not a list of column names"),
        ('customer_id = "user"', '"a b" = "user"', "not an identifier type"),
        ('customer_id = "user"', "customer_id = 3", "identifiers.customer_id is not a list"),
        ('source = "shop"', 'source = "shop"\nchannel = "web"', "channel stands under"),
        ("[lookup.type]", "[lookup.campaign]", "lookup.campaign renames what no column fills"),
        ('buy = "order_placed"', "buy = 1", "lookup.type is not a table of texts"),
        ("[constants]", '[time]\nformat = "noon"\n[constants]', "time.format is 'noon'"),
        ("[constants]", '[time]\nzone = "Mars/Base"\n[constants]', "time.zone is 'Mars/Base'"),
        ("[constants]", "[time]\nzone = 1\n[constants]", "time.zone is 1"),
        ("[constants]", '[time]\nunit = "s"\n[constants]', "time.unit is unknown"),
        ('attributes = ["colour"]', 'attributes = "colour"', "attributes is not a list"),
        ('attributes = ["colour"]', 'delimiter = ";;"', "delimiter is ';;'"),
        ("[identifiers]", "[lookup]\nchannel = 1\n[identifiers]", "lookup.channel is not a table of texts"),
        ("[constants]", "[constants", "not TOML"),
        ("[constants]", "[time]\nformat = []\n[constants]", "time.format is no text"),
        ("[constants]", '[time]\nformat = ["iso", 3]\n[constants]', "time.format is 3"),
        ("[constants]", '[time]\nformat = "%Q"\n[constants]', "time.format is '%Q'"),
        ("[constants]", '[time]\nformat = ["epoch_s", "epoch_ms"]\n[constants]', "two units of the epoch"),
        ("[constants]", "[time]\nrepeated_hour = 2\n[constants]", "time.repeated_hour is 2"),
        ('amount_minor = "cents"', 'amount_minor = "cents"\namount = "sum"', "amount and amount_minor both"),
        ("[constants]", '[amount]\ndecimal = ","\n[constants]', "says how amount is written"),
        ("[constants]", '[amount]\ndecimal = ";"\n[constants]', "amount.decimal is ';'"),
        ("[constants]", '[amount]\nthousands = "."\n[constants]', "amount.thousands is '.'"),
        ("[constants]", "[amount]\nminor_units = true\n[constants]", "amount.minor_units is True"),
        ("[constants]", "[score]\nvalue = 'a'\n[constants]", r"\[score\] is not whole"),
        ("[constants]", "[score]\nvalue = 'a'\nkind = 'stars'\n[constants]", "score.kind is 'stars'"),
        ("[constants]", "[score]\nvalue = 1\nkind = 'nps'\n[constants]", "score.value is not a column name"),
        ("[constants]", "[consent]\nmail = 1\n[constants]", "consent.mail is not a column name"),
        (
            "[constants]",
            "[lookup.consent]\nyes = 'granted'\n[constants]",
            "lookup.consent renames what no column",
        ),
        ('type = "what"', 'type = ["what", "kind"]', "columns.type is not a column name"),
        ('occurred_at = "when"', "occurred_at = []", "columns.occurred_at is not a column name"),
        ('attributes = ["colour"]', 'encoding = "klingon"', "encoding is 'klingon'"),
        ('attributes = ["colour"]', 'trim = "no"', "trim is 'no'"),
        ('attributes = ["colour"]', 'whole_numbers = "user"', "whole_numbers is not a list"),
    ],
)
def test_a_wrong_mapping_is_one_sentence_with_the_key_and_the_fix(change: str, to: str, says: str) -> None:
    with pytest.raises(SettingsError, match=says) as refused:
        mapping(change, to)
    assert "m.toml" in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_mapping_without_identifiers_is_refused() -> None:
    with pytest.raises(SettingsError, match="no identifiers"):
        mapping('customer_id = "user"\ncookie = ["browser", "app"]')


def test_a_mapping_that_cannot_be_read_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"none\.toml cannot be read"):
        load_mapping(str(tmp_path / "none.toml"))


def test_a_column_that_a_file_does_not_have_is_named_with_the_likely_one(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text(",".join([*ROW, "usr"]).replace("user,", "") + "\n" + ",".join(["1"] * len(ROW)) + "\n")
    with pytest.raises(SettingsError, match=r"column 'user', which .* did you mean 'usr'"):
        list(read_touchpoints([str(file)], mapping()))


@pytest.mark.skipif(not ECOM.exists(), reason="the ecom log is not here")
def test_the_ecom_log_yields_every_row_and_exact_duplicates_are_one_touchpoint() -> None:
    found = [row.touchpoint for row in read_touchpoints([str(ECOM)], load_mapping(str(ECOM_MAPPING)))]
    kept = [touchpoint for touchpoint in found if touchpoint is not None]
    assert (len(found), len(kept)) == (31_106, 31_106)
    assert len({touchpoint["event_id"] for touchpoint in kept}) == 31_076
    for touchpoint in kept:
        check(touchpoint)
    catalogue = Catalogue.load()
    assert {touchpoint["type"] for touchpoint in kept} <= catalogue.types.keys()
    assert {touchpoint["channel"] for touchpoint in kept} == {"web"}
    assert {touchpoint["session_id"] for touchpoint in kept} == {None}


def test_the_example_mapping_reads_a_row_of_its_log(tmp_path: Path) -> None:
    header = "user_id,session_id,event,timestamp,platform,acquisition_channel,user_cohort,user_lifecycle"
    file = tmp_path / "a.csv.gz"
    file.write_bytes(gzip.compress(f"{header}\nu,s,home,2026-01-01 00:00:00,tablet,,c,new\n".encode()))
    (row,) = read_touchpoints([str(file)], load_mapping(str(ECOM_MAPPING)))
    assert row.touchpoint is not None
    assert row.touchpoint["occurred_at"] == START
    assert row.touchpoint["attributes"] == {"platform": "tablet", "user_cohort": "c", "user_lifecycle": "new"}
