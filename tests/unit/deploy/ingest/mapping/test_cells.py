"""Cells: times, amounts and identifiers are read exactly, or the row is refused with a sentence."""

import json
from pathlib import Path

import pytest

from deploy.ingest.mapping.cells import ABSENT, Times, find, number
from deploy.ingest.mapping.file import parse_mapping
from deploy.ingest.mapping.row_events import SourceMapping
from deploy.ingest.touchpoint_files import read_touchpoints
from schemas.errors import ContractError
from schemas.touchpoint.json_form import to_iso, to_ms
from tests.support.shop import GOOD, ROW, mapping, read
from tests.support.touchpoints import START


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


@pytest.mark.parametrize(
    "cell", ["2026-01-01t00:00:00z", "2026-01-01 00:00:00 UTC", "2026-01-01 00:00:00+00"]
)
def test_iso_times_are_read_as_rfc_3339_and_bigquery_write_them(cell: str) -> None:
    assert read(mapping(), when=cell)["occurred_at"] == START


@pytest.mark.parametrize(
    ("unit", "cell", "expected"),
    [
        ("epoch_us", f"{START}999", START),
        ("epoch_us", "-1", -1),
        ("epoch_ns", f"{START}000001", START),
        ("epoch_ns", f"{START}000000.0", START),
        ("epoch_ms", f"{START}.0", START),
        ("epoch_s", "1767225600.001", START + 1),
        ("epoch_s", "1767225600.0019999", START + 1),
    ],
)
def test_epochs_are_read_exactly_and_cut_to_milliseconds(unit: str, cell: str, expected: int) -> None:
    assert read(with_time(f'format = "{unit}"'), when=cell)["occurred_at"] == expected


@pytest.mark.parametrize("cell", ["1_767_225_600", "١٧٦٧", "1.7e9", "nan", "inf", "9" * 30, "1767225600,5"])
def test_what_python_takes_for_a_number_and_people_do_not_is_no_epoch(cell: str) -> None:
    with pytest.raises(ContractError, match="the mapping's time format is 'epoch_s'"):
        read(with_time('format = "epoch_s"'), when=cell)


def with_time(table: str) -> SourceMapping:
    return mapping("[constants]", f"[time]\n{table}\n[constants]")


@pytest.mark.parametrize("cell", ["01.01.2026 00:00", "2026-01-01", "1767225600000"])
def test_of_several_time_formats_the_first_that_fits_counts(cell: str) -> None:
    which = with_time('format = ["%d.%m.%Y %H:%M", "iso", "epoch_ms"]')
    assert read(which, when=cell)["occurred_at"] == START


def test_epoch_milliseconds_are_never_read_as_a_date_of_digits() -> None:
    # Python's fromisoformat takes them for the year 2000, 1 January, 23:04
    assert (
        read(with_time('format = ["iso", "epoch_ms"]'), when="2000010112304")["occurred_at"] == 2000010112304
    )


@pytest.mark.parametrize(("hour", "offset"), [("first", 2), ("second", 1)])
def test_the_hour_that_autumn_repeats_is_the_one_that_the_mapping_says(hour: str, offset: int) -> None:
    for form, cell in (("iso", "2026-10-25 02:30:00"), ("%d.%m.%Y %H:%M", "25.10.2026 02:30")):
        which = with_time(f'format = "{form}"\nzone = "Europe/Berlin"\nrepeated_hour = "{hour}"')
        assert to_iso(read(which, when=cell)["occurred_at"]) == f"2026-10-25T0{2 - offset}:30:00.000Z"
        assert read(which, when=cell.replace("02:", "01:"))["occurred_at"] == to_ms("2026-10-24T23:30Z", "t")


def test_a_time_may_stand_in_two_columns_and_a_row_with_one_of_them_is_refused() -> None:
    which = mapping('occurred_at = "when"', 'occurred_at = ["day", "hour"]')
    assert read(which, day="2026-01-01", hour="00:00")["occurred_at"] == START
    with pytest.raises(ContractError, match="occurred_at lacks a part: column 'hour' is empty"):
        read(which, day="2026-01-01", hour=" ")


def with_amount(table: str = "") -> SourceMapping:
    text = GOOD.replace('amount_minor = "cents"', 'amount = "sum"')
    return parse_mapping(f"{text}\n[amount]\n{table}\n", "m.toml")


@pytest.mark.parametrize(
    ("amount", "currency", "minor"),
    [
        ("19.99", "EUR", 1999), ("19.9", "EUR", 1990), ("19.9900", "EUR", 1999), ("19.", "EUR", 1900),
        (".5", "EUR", 50), ("-.05", "EUR", -5), ("0.", "JPY", 0),
        ("-0.01", "EUR", -1),
        ("+5", "EUR", 500), ("500", "JPY", 500), ("500.00", "JPY", 500), ("1.234", "KWD", 1234), ("0.0001", "CLF", 1),
        ("1.15", "USD", 115), ("90071992547409.93", "USD", 9007199254740993),
    ],
)  # fmt: skip
def test_amounts_in_major_units_are_exact(amount: str, currency: str, minor: int) -> None:
    assert read(with_amount(), sum=amount, money=currency)["amount_minor"] == minor


@pytest.mark.parametrize(
    ("amount", "currency", "says"),
    [
        ("19.999", "EUR", "EUR has 2 decimal places"),
        ("0.5", "JPY", "JPY has 0 decimal places"),
        ("1,299.00", "EUR", "it must be a number"),
        ("1e3", "EUR", "it must be a number"),
        ("nan", "EUR", "it must be a number"),
        (".", "EUR", "it must be a number"),
        ("-.", "EUR", "it must be a number"),
        ("€5", "EUR", "it must be a number"),
        ("5", "BGN", "say minor_units under"),
        ("5", "eur", "say minor_units under"),
        ("5", "", "amount has no currency"),
        ("999999999999999999", "EUR", "amount_minor must be a whole number"),
    ],
)
def test_an_amount_that_is_not_exact_is_refused(amount: str, currency: str, says: str) -> None:
    with pytest.raises(ContractError, match=says):
        read(with_amount(), sum=amount, money=currency)


def test_amounts_are_read_as_the_mapping_says_they_are_written() -> None:
    german = with_amount('decimal = ","\nthousands = "."')
    for text, minor in (("1.299,90", 129990), ("1299,9", 129990), ("1.000.000", 100000000), ("-5", -500)):
        assert read(german, sum=text)["amount_minor"] == minor
    assert read(german, sum=",5")["amount_minor"] == 50
    for slip in ("12.99", "1.29,90", "1,299.90", ".999", "."):  # never ten or a hundred times as much
        with pytest.raises(ContractError, match="it must be a number"):
            read(german, sum=slip)
    assert read(with_amount("minor_units = 2"), sum="5", money="BGN")["amount_minor"] == 500


def test_a_json_amount_is_taken_as_it_is_written_not_as_a_float(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_text(json.dumps({**ROW, "sum": 0}).replace('"sum": 0', '"sum": 90071992547409.93'))
    (row,) = read_touchpoints([str(file)], with_amount())
    assert row.touchpoint is not None
    assert row.touchpoint["amount_minor"] == 9007199254740993


@pytest.mark.parametrize(
    ("cell", "value"), [("123.0", "123"), ("-1.00", "-1"), ("7", "7"), ("9" * 30, "9" * 30), ("A1", "A1")]
)
def test_numbers_that_a_spreadsheet_made_of_identifiers_are_cast_if_the_mapping_says_so(
    cell: str, value: str
) -> None:
    which = mapping("derive_event_id = true", 'derive_event_id = true\nwhole_numbers = ["user"]')
    assert read(which, user=cell)["identifiers"][0] == {"type": "customer_id", "value": value}
    assert read(mapping(), user=cell)["identifiers"][0]["value"] == cell


@pytest.mark.parametrize(
    "cell", ["1.5", "1.23457E+15", "1e5", "9007199254740992.0", "99999999999999999999.0"]
)
def test_a_number_of_which_digits_are_lost_is_refused_where_whole_ones_are_asked_for(cell: str) -> None:
    which = mapping("derive_event_id = true", 'derive_event_id = true\nwhole_numbers = ["user"]')
    with pytest.raises(ContractError, match="digits are lost: export it as text"):
        read(which, user=cell)


@pytest.mark.parametrize(
    ("cells", "says"),
    [({"when": "noon"}, "occurred_at is 'noon'"), ({"cents": "12.99"}, "amount_minor is '12.99'")],
)
def test_a_cell_that_cannot_be_read_is_named(cells: dict[str, str], says: str) -> None:
    with pytest.raises(ContractError, match=says):
        read(mapping(), **cells)


@pytest.mark.parametrize(
    ("amount", "currency", "minor"),
    [
        ("29.990000000000002", "EUR", 2999), ("0.005", "EUR", 1), ("-0.005", "EUR", -1), ("0.0049", "EUR", 0),
        ("9.999", "EUR", 1000), ("0.5", "JPY", 1), ("19.9", "EUR", 1990), ("-.004", "EUR", 0),
    ],
)  # fmt: skip
def test_an_amount_is_rounded_half_away_from_zero_if_the_mapping_says_so(
    amount: str, currency: str, minor: int
) -> None:
    assert read(with_amount("round = true"), sum=amount, money=currency)["amount_minor"] == minor


@pytest.mark.parametrize(("text", "ms"), [("1.", 1000), (".5", 500), ("-1.5", -1500)])
def test_seconds_may_begin_or_end_with_their_point_as_amounts_may(text: str, ms: int) -> None:
    assert Times(("epoch_s",)).ms(text, "occurred_at") == ms
    assert number(text, "sentiment") == ms / 1000


def test_a_list_of_keys_and_values_is_read_like_an_object() -> None:
    row = {
        "event_params": [
            {"key": "page", "value": {"string_value": "/a"}},
            {"key": "n", "value": {"string_value": None, "int_value": "7"}},
            {"key": "none", "value": {"string_value": None}},
            {"key": "plain", "value": 3},
            "no pair",
        ]
    }
    for path, value in (
        ("page", "/a"),
        ("n", "7"),
        ("none", None),
        ("plain", 3),
        ("0.key", "page"),
        ("9", ABSENT),
    ):
        assert find(row, f"event_params.{path}") == value
    assert find(row, "event_params.other") is ABSENT
