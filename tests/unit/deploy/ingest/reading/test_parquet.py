"""Parquet files are read like JSON Lines: times in ISO 8601, decimals exactly; without pyarrow one sentence says so."""

import json
import sys
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from deploy.ingest.mapping.file import parse_mapping
from deploy.ingest.reading import parquet_rows
from deploy.ingest.reading.files import format_of, read_entries
from deploy.ingest.reading.lines import Position, SourceError
from deploy.ingest.touchpoint_files import TouchpointFiles

#: A wall clock's noon in microseconds since 1970, and a little later.
NOON_TWICE = [1_782_907_200_000_000, 1_782_907_200_001_500]
MAPPING = """
derive_event_id = true
[constants]
source = "lake"
channel = "web"
type = "order_placed"
[columns]
occurred_at = "at"
amount = "sum"
currency = "money"
[identifiers]
customer_id = "who.id"
[attributes]
day = "day"
[time]
zone = "Europe/Berlin"
"""


def write(path: Path, columns: dict[str, Any], **options: Any) -> str:
    parquet.write_table(pa.table(columns), path, **options)
    return str(path)


def values(name: str) -> list[Any]:
    return [entry.value for entry in read_entries(name, "parquet")]


def test_rows_are_touchpoints_by_a_mapping(tmp_path: Path) -> None:
    name = write(
        tmp_path / "a.parquet",
        {
            "at": pa.array(NOON_TWICE, pa.timestamp("us")),
            "sum": pa.array([Decimal("19.99"), None], pa.decimal128(12, 2)),
            "money": ["EUR", None],
            "who": [{"id": 7}, {"id": 8}],
            "day": [date(2026, 7, 1), None],
        },
    )
    first, second = (
        sourced.touchpoint for sourced in TouchpointFiles([name], parse_mapping(MAPPING, "m.toml"))
    )
    assert first is not None
    assert second is not None
    assert (first["amount_minor"], first["currency"], first["attributes"]) == (
        1999,
        "EUR",
        {"day": "2026-07-01"},
    )
    assert first["identifiers"] == [{"type": "customer_id", "value": "7"}]
    assert first["occurred_at"] == int(
        datetime(2026, 7, 1, 10, tzinfo=UTC).timestamp() * 1000
    )  # Berlin's wall clock
    assert second["occurred_at"] - first["occurred_at"] == 1


def test_without_a_mapping_rows_are_touchpoints_as_they_stand(tmp_path: Path) -> None:
    columns = {
        "event_id": ["e1"], "occurred_at": pa.array([datetime(2026, 7, 1, tzinfo=UTC)], pa.timestamp("ns", "UTC")),
        "source": ["s"], "channel": ["web"], "type": ["login"], "identifiers": [[{"type": "cookie", "value": "c"}]],
        "attributes": pa.array([[("k", "v")]], pa.map_(pa.string(), pa.string())),
    }  # fmt: skip
    (sourced,) = TouchpointFiles([write(tmp_path / "a.parquet", columns)])
    assert sourced.touchpoint is not None, sourced.entry.error
    assert sourced.touchpoint["attributes"] == {"k": "v"}


def test_values_have_their_json_form_and_a_rejected_row_is_shown(tmp_path: Path) -> None:
    columns = {
        "f": [1.5, float("nan")], "b": [b"x\xff", None], "t": pa.array([1, None], pa.time32("s")),
        "d": pa.array([1500, None], pa.duration("ms")), "l": [[1, 2], None], "ok": [True, None],
        "ns": pa.array([1_772_357_400_123_456_789, None], pa.timestamp("ns")),
    }  # fmt: skip
    name = write(tmp_path / "a.parquet", columns)
    assert values(name) == [
        {
            "f": 1.5, "b": "x\\xff", "t": "00:00:01", "d": 1.5, "l": [1, 2], "ok": True,
            "ns": "2026-03-01T09:30:00.123456",
        },
        dict.fromkeys(columns),
    ]  # fmt: skip
    entry, _ = read_entries(name, "parquet")
    assert (entry.line, json.loads(entry.text)["l"]) == (1, [1, 2])


def test_rows_are_numbered_over_row_groups_and_reading_goes_on_behind_a_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet_rows, "BATCH_ROWS", 4)
    name = write(tmp_path / "a.parquet", {"n": list(range(23))}, row_group_size=5)
    entries = list(read_entries(name, "parquet"))
    assert [entry.line for entry in entries] == list(range(1, 24))
    for entry in entries:
        rest = [one.value["n"] for one in read_entries(name, "parquet", after=entry.end)]
        assert rest == list(range(entry.line, 23))
    write(tmp_path / "a.parquet", {"n": list(range(1, 24))}, row_group_size=5)
    with pytest.raises(SourceError, match="is not the file that the interrupted import read"):
        list(read_entries(name, "parquet", after=entries[3].end))


def test_what_is_no_parquet_file_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_bytes(b"event_id\n1\n")
    with pytest.raises(SourceError, match=r"a\.parquet cannot be read as Parquet"):
        values(str(tmp_path / "a.parquet"))
    with pytest.raises(SourceError, match=r"none\.parquet cannot be read: No such file"):
        values("none.parquet")
    whole = Path(write(tmp_path / "b.parquet", {"n": list(range(1000))})).read_bytes()
    (tmp_path / "c.parquet").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(SourceError, match=r"c\.parquet cannot be read as Parquet"):
        values(str(tmp_path / "c.parquet"))


def test_without_pyarrow_one_sentence_says_how_to_install_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = write(tmp_path / "a.parquet", {"n": [1]})
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(
        SourceError, match=r"needs pyarrow: install it with `pip install 'touchline\[parquet\]'`"
    ):
        list(read_entries(name, format_of(name), after=Position()))


@pytest.mark.parametrize(
    ("held", "damaged"),
    [(b"column", b"col\xe1mn"), (b"a text", b"a t\xe1xt")],
    ids=["name", "text"],
)
def test_what_is_no_utf_8_is_refused_in_a_sentence(tmp_path: Path, held: bytes, damaged: bytes) -> None:
    path = tmp_path / "x.parquet"
    parquet.write_table(pa.table({"column": ["a text"]}), path, compression="none")
    path.write_bytes(path.read_bytes().replace(held, damaged))
    with pytest.raises(SourceError, match=r"x\.parquet cannot be read as Parquet: "):
        list(read_entries(str(path), "parquet"))
