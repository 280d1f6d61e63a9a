"""Mapping files: what they make of a row, and what they say when they are wrong."""

import gzip
from pathlib import Path
from typing import Any

import pytest

from deploy.sources.mapping import ColumnMapping
from deploy.sources.mapping_file import load_mapping, parse_mapping
from deploy.sources.touchpoint_files import read_touchpoints
from schemas.catalogue import Catalogue
from schemas.errors import ContractError, SettingsError
from schemas.jsonform import from_json
from schemas.touchpoints import check
from tests.touchpoints import START

ECOM_MAPPING = Path("deploy/sources/examples/ecom.toml")
ECOM = Path("../shared/data/ecom.csv.gz")

GOOD = """
derive_event_id = true
attributes = ["colour"]
[constants]
source = "shop"
[columns]
occurred_at = "when"
channel = "where"
type = "what"
amount_minor = "cents"
currency = "money"
[identifiers]
customer_id = "user"
cookie = ["browser", "app"]
[lookup.type]
buy = "order_placed"
"""
ROW = {
    "when": "2026-01-01 01:00:00", "where": "web", "what": "buy", "cents": "1299", "money": "EUR",
    "user": "u1", "browser": "b", "app": "", "colour": "red", "ignored": "x",
}  # fmt: skip


def mapping(change: str = "", to: str = "") -> ColumnMapping:
    assert change in GOOD
    return parse_mapping(GOOD.replace(change, to, 1) if change else GOOD, "m.toml")


def read(which: ColumnMapping, **cells: str) -> dict[str, Any]:
    return dict(from_json(which.apply({**ROW, **cells}), START))


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


@pytest.mark.parametrize(
    ("time", "cell", "expected"),
    [
        ('zone = "Europe/Berlin"', "2026-01-01 01:00:00", START),
        ('zone = "Europe/Berlin"', "2026-01-01T00:00:00Z", START),
        ('format = "epoch_s"', str(START // 1000), START),
        ('format = "epoch_s"', f"{START // 1000}.25", START + 250),
        ('format = "epoch_ms"', str(START), START),
        ('format = "%d.%m.%Y %H:%M"', "01.01.2026 00:00", START),
    ],
)
def test_a_time_has_the_mappings_format_and_zone(time: str, cell: str, expected: int) -> None:
    assert read(mapping("[constants]", f"[time]\n{time}\n[constants]"), when=cell)["occurred_at"] == expected


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


@pytest.mark.parametrize(
    ("cells", "says"),
    [({"when": "noon"}, "occurred_at is 'noon'"), ({"cents": "12.99"}, "amount_minor is '12.99'")],
)
def test_a_cell_that_cannot_be_read_is_named(cells: dict[str, str], says: str) -> None:
    with pytest.raises(ContractError, match=says):
        read(mapping(), **cells)


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
