"""Change data as Debezium writes it: which touchpoints a change makes, and that it keeps its id when it comes again."""

import base64
import copy
import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.ingest.mapping.change_data import Operation, read_change
from deploy.ingest.mapping.file import parse_mapping
from deploy.ingest.mapping.row_events import SourceMapping
from schemas.errors import ContractError, Reason
from tests.support.exports import sample

NOW = 1_772_400_000_000
MAPPING = """
derive_event_id = true
[change]
tables = ["public.customers"]
columns = ["email", "phone"]
[constants]
source = "crm"
channel = "backoffice"
[columns]
occurred_at = "change.time"
[identifiers]
customer_id = "id"
email = "email"
[[events]]
name = "made"
on = ["insert", "read"]
constants.type = "account_created"
[[events]]
name = "moved"
on = ["update"]
changed = ["email"]
constants.type = "account_changed"
attributes.from = "change.before.email"
[[events]]
name = "called"
on = ["update"]
changed = ["phone"]
constants.type = "account_changed"
[[events]]
name = "gone"
on = ["delete"]
constants.type = "account_closed"
"""


def mapping(change: str = "", to: str = "") -> SourceMapping:
    assert change in MAPPING
    return parse_mapping(MAPPING.replace(change, to, 1) if change else MAPPING, "m.toml")


def row(email: str | None = "ann@example.com", **cells: Any) -> dict[str, Any]:
    return {"id": 1001, "email": email, "phone": None, "shoe": 41, **cells}


def envelope(op: str, before: Any = None, after: Any = None, **source: Any) -> dict[str, Any]:
    """As Debezium's documentation for PostgreSQL shows it."""
    return {
        "before": before, "after": after, "op": op, "ts_ms": NOW + 500, "transaction": None,
        "source": {
            "version": "2.7.0.Final", "connector": "postgresql", "name": "crm", "ts_ms": NOW, "snapshot": "false",
            "db": "crm", "sequence": '["24023119","24023128"]', "schema": "public", "table": "customers", "txId": 555,
            "lsn": 24023128, "xmin": None, **source,
        },
    }  # fmt: skip


def made(value: Any, which: SourceMapping | None = None) -> list[tuple[str, str]]:
    """Type and name of each event of a change."""
    events = (which or mapping()).events(value, NOW)
    return [(event["type"], event["event_id"].rpartition("-")[2]) for event in events]


def test_inserts_updates_deletes_and_snapshot_reads_are_the_events_that_the_mapping_says() -> None:
    assert made(envelope("c", None, row())) == [("account_created", "made")]
    assert made(envelope("r", None, row(), snapshot="true")) == [("account_created", "made")]
    assert made(envelope("u", row("old@example.com"), row())) == [("account_changed", "moved")]
    assert made(envelope("d", row(), None)) == [("account_closed", "gone")]


def test_one_update_may_be_two_events() -> None:
    change = envelope("u", row("old@example.com"), row(phone="+4915112345678"))
    assert made(change) == [("account_changed", "moved"), ("account_changed", "called")]
    assert mapping().events(change, NOW)[0]["attributes"] == {"from": "old@example.com"}


def test_an_update_of_columns_that_do_not_matter_makes_nothing() -> None:
    assert made(envelope("u", row(shoe=40), row(shoe=41))) == []


def test_an_update_whose_row_before_is_unknown_counts_as_one_that_changes_everything() -> None:
    assert made(envelope("u", None, row(shoe=41))) == [
        ("account_changed", "moved"),
        ("account_changed", "called"),
    ]


def test_a_large_value_that_the_database_did_not_log_is_no_change_and_no_value() -> None:
    change = envelope("u", row(), row("__debezium_unavailable_value", phone="1"))
    assert made(change) == [("account_changed", "called")]
    (event,) = mapping().events(change, NOW)
    assert [one["type"] for one in event["identifiers"]] == ["customer_id"]


@pytest.mark.parametrize(
    "value",
    [
        None,  # a tombstone
        {"schema": {"type": "struct"}, "payload": None},
        envelope("t"),  # truncated
        {"op": "m", "ts_ms": 1, "source": {}, "message": {"prefix": "p", "content": ""}},
        envelope("c", None, row(), table="orders"),
        envelope("c", None, row(), schema="audit"),
    ],
)
def test_what_is_about_no_row_of_the_table_makes_nothing(value: Any) -> None:
    assert made(value) == []


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ([1], "change data is a JSON object"),
        ("text", "change data is a JSON object"),
        ({}, "the row has no column"),
        (envelope("x", None, row()), "op is 'x': it must be one of c, u, d, r"),
        (envelope("c", row(), None), "after is empty"),
        (envelope("d", None, row()), "before is empty"),
        (envelope("c", None, [1]), "after must be an object"),
        ({"op": "c", "after": row()}, "source is missing"),
    ],
)
def test_what_is_no_change_is_refused_with_a_sentence(value: Any, says: str) -> None:
    with pytest.raises(ContractError, match=says):
        mapping().events(value, NOW)


def test_delivered_again_a_change_is_the_same_event_with_or_without_the_schema_part() -> None:
    first = envelope("u", row("old@example.com"), row())
    again = copy.deepcopy(first)
    again["ts_ms"] += 60_000  # when Debezium read it
    again["source"] |= {"version": "2.7.1.Final", "sequence": None, "snapshot": "false"}
    wrapped = {"schema": {"type": "struct", "fields": []}, "payload": again}
    assert (
        len({change.event_id() for value in (first, again, wrapped) if (change := read_change(value))}) == 1
    )


def test_two_changes_at_one_place_in_the_log_are_two_events() -> None:
    """COPY and multi-row inserts write several rows at one LSN."""
    values = [envelope("c", None, row(id=number)) for number in range(3)]
    assert len({change.event_id() for value in values if (change := read_change(value))}) == 3


@pytest.mark.parametrize("number", [Decimal("1.5"), 1.5, [Decimal("1.25")], {"a": Decimal("1.5")}])
@pytest.mark.parametrize("name", ["lsn", "pos", "scn", "ts_ms"])
def test_a_place_in_the_log_that_is_no_whole_number_and_no_text_is_refused(name: str, number: Any) -> None:
    change = envelope("c", None, row())
    change["source"] = {"name": "crm", "schema": "public", "table": "customers", "ts_ms": NOW, name: number}
    found = read_change(change)
    assert found is not None
    with pytest.raises(ContractError, match=rf"source\.{name} is .*: a place in the log") as refused:
        found.event_id()
    assert refused.value.reason is Reason.INVALID


def test_there_and_back_are_two_events() -> None:
    there, back = (
        envelope("u", row("a@x.de"), row("b@x.de"), lsn=1),
        envelope("u", row("b@x.de"), row("a@x.de"), lsn=2),
    )
    again = envelope("u", row("a@x.de"), row("b@x.de"), lsn=3)
    assert len({change.event_id() for value in (there, back, again) if (change := read_change(value))}) == 3


def test_a_second_snapshot_of_a_row_that_is_as_it_was_is_the_same_event() -> None:
    first = read_change(envelope("r", None, row(), lsn=1, ts_ms=NOW))
    second = read_change(envelope("r", None, row(), lsn=99, ts_ms=NOW + 86_400_000))
    changed = read_change(envelope("r", None, row("b@x.de"), lsn=99))
    assert first is not None
    assert second is not None
    assert changed is not None
    assert first.event_id() == second.event_id() != changed.event_id()


@given(
    places=st.lists(
        st.tuples(st.sampled_from(["mysql-bin.000003", "mysql-bin.000004"]), st.integers(4, 2000), st.integers(0, 3)),
        unique=True, max_size=8,
    )
)  # fmt: skip
def test_each_place_in_the_log_of_mysql_is_one_event(places: list[tuple[str, int, int]]) -> None:
    source = {
        "connector": "mysql",
        "schema": None,
        "lsn": None,
        "txId": None,
        "server_id": 223344,
        "gtid": None,
    }
    ids = [
        change.event_id()
        for file, pos, number in places
        if (change := read_change(envelope("c", None, row(), **source, file=file, pos=pos, row=number)))
    ]
    assert len(set(ids)) == len(places)


def test_a_flattened_row_is_read_too() -> None:
    flat = {
        **row(),
        "__op": "c",
        "__table": "customers",
        "__schema": "public",
        "__lsn": 7,
        "__source_ts_ms": NOW,
    }
    assert made(flat) == [("account_created", "made")]
    assert mapping().events(flat, NOW)[0]["occurred_at"] == NOW
    assert made({**flat, "__op": "u"}) == [("account_changed", "moved"), ("account_changed", "called")]
    assert made({**flat, "__op": "d", "__deleted": "true"}) == [("account_closed", "gone")]
    change = read_change({**flat, "__deleted": "true"})
    assert change is not None
    assert (change.operation, change.row) == (Operation.DELETE, row())


@pytest.mark.parametrize(
    ("kind", "parameters", "value", "text"),
    [
        ("io.debezium.time.Date", None, 20513, "2026-03-01"),
        ("org.apache.kafka.connect.data.Date", None, -1, "1969-12-31"),
        ("io.debezium.time.Timestamp", None, 1772357400123, "2026-03-01T09:30:00.123000"),
        ("org.apache.kafka.connect.data.Timestamp", None, 1772357400000, "2026-03-01T09:30:00"),
        ("io.debezium.time.MicroTimestamp", None, 1772357400123456, "2026-03-01T09:30:00.123456"),
        ("io.debezium.time.NanoTimestamp", None, 1772357400123456789, "2026-03-01T09:30:00.123456"),
        ("io.debezium.time.ZonedTimestamp", None, "2026-03-01T09:30:00Z", "2026-03-01T09:30:00Z"),
        ("org.apache.kafka.connect.data.Decimal", {"scale": "2"}, "Msc=", "129.99"),
        ("org.apache.kafka.connect.data.Decimal", {"scale": "2"}, "/w==", "-0.01"),
        ("org.apache.kafka.connect.data.Decimal", {"scale": "0"}, "AA==", "0"),
        ("io.debezium.data.VariableScaleDecimal", None, {"scale": 1, "value": "BQ=="}, "0.5"),
        ("io.debezium.data.Enum", None, "red", "red"),
        (None, None, 7, 7),
    ],
)
def test_the_schema_part_tells_what_a_value_is(
    kind: str | None, parameters: Any, value: Any, text: Any
) -> None:
    field = {"field": "x", "type": "any", "name": kind, "parameters": parameters}
    schema = {"type": "struct", "fields": [{"field": "after", "type": "struct", "fields": [field]}]}
    change = read_change({"schema": schema, "payload": envelope("c", None, {"x": value, "y": 1})})
    assert change is not None
    assert change.row == {"x": text, "y": 1}
    empty = read_change({"schema": schema, "payload": envelope("c", None, {"x": None})})
    assert empty is not None
    assert empty.row == {"x": None}


@given(
    amount=st.decimals(allow_nan=False, allow_infinity=False, places=4, min_value=-(10**12), max_value=10**12)
)
def test_a_decimal_is_exact(amount: Decimal) -> None:
    unscaled = int(amount.scaleb(4))
    data = base64.b64encode(unscaled.to_bytes(unscaled.bit_length() // 8 + 1, "big", signed=True)).decode()
    field = {"field": "x", "name": "org.apache.kafka.connect.data.Decimal", "parameters": {"scale": "4"}}
    schema = {"fields": [{"field": "after", "fields": [field]}]}
    change = read_change({"schema": schema, "payload": envelope("c", None, {"x": data})})
    assert change is not None
    assert Decimal(change.row["x"]) == amount


@pytest.mark.parametrize(("value", "scale"), [("Ms%", "2"), (5, "2"), ("Msc=", "many"), ("Msc=", None)])
def test_a_value_that_is_none_of_its_type_is_refused(value: Any, scale: Any) -> None:
    field = {
        "field": "x",
        "name": "org.apache.kafka.connect.data.Decimal",
        "parameters": scale and {"scale": scale},
    }
    schema = {"fields": [{"field": "after", "fields": [field]}]}
    with pytest.raises(
        ContractError, match=r"column 'x' holds .* which is no org\.apache\.kafka\.connect\.data\.Decimal"
    ):
        read_change({"schema": schema, "payload": envelope("c", None, {"x": value})})


DECIMALS = ["org.apache.kafka.connect.data.Decimal", "io.debezium.data.VariableScaleDecimal"]


def of_scale(kind: str, scale: Any) -> Any:
    """A change whose row has 9 in column x, with that scale."""
    field = {"field": "x", "name": kind, "parameters": {"scale": scale}}
    value = "CQ==" if kind == DECIMALS[0] else {"scale": scale, "value": "CQ=="}
    schema = {"fields": [{"field": "after", "fields": [field]}]}
    return {"schema": schema, "payload": envelope("c", None, {"x": value})}


@pytest.mark.parametrize("kind", DECIMALS)
@pytest.mark.parametrize("scale", [2_000_000, "2000000", -2_000_000, 401, "-401", 10**18, "1" * 4000])
def test_a_scale_that_no_amount_has_is_refused_before_its_zeros_are_written(kind: str, scale: Any) -> None:
    with pytest.raises(ContractError, match=r"the scale of a decimal is .*: it must be from -400 to 400"):
        read_change(of_scale(kind, scale))


@pytest.mark.parametrize("kind", DECIMALS)
@pytest.mark.parametrize("scale", [Decimal("1.5"), 1.5, Decimal("1E+300"), [2], {}])
def test_a_scale_that_is_no_whole_number_is_refused(kind: str, scale: Any) -> None:
    with pytest.raises(ContractError, match=f"which is no {kind}"):
        read_change(of_scale(kind, scale))


@pytest.mark.parametrize("kind", DECIMALS)
@pytest.mark.parametrize(
    ("scale", "text"), [(400, f"0.{'0' * 399}9"), ("-400", f"9{'0' * 400}")], ids=["small", "large"]
)
def test_a_decimal_of_the_largest_scale_is_exact(kind: str, scale: Any, text: str) -> None:
    found = read_change(of_scale(kind, scale))
    assert found is not None
    assert found.row["x"] == text


def test_without_events_every_change_that_counts_is_a_touchpoint() -> None:
    text = MAPPING.partition("[[events]]")[0].replace(
        'channel = "backoffice"', 'channel = "backoffice"\ntype = "seen"'
    )
    which = parse_mapping(text, "m.toml")
    assert [event["type"] for event in which.events(envelope("d", row(), None), NOW)] == ["seen"]


def test_a_mapping_that_needs_change_data_says_so() -> None:
    text = MAPPING.replace('[change]\ntables = ["public.customers"]\ncolumns = ["email", "phone"]\n', "")
    with pytest.raises(
        Exception, match=r"events made says on or changed, but rows are no change data: add a table"
    ):
        parse_mapping(text, "m.toml")


NAMES = st.sampled_from(["op", "before", "after", "source", "payload", "schema", "fields", "field", "name"])
JUNK = st.recursive(
    st.none() | st.integers() | st.text(),
    lambda one: st.lists(one) | st.dictionaries(NAMES, one),
    max_leaves=8,
)


@given(cut=st.integers(0, 400), junk=JUNK)
def test_hostile_change_data_is_refused_and_never_crashes(cut: int, junk: Any) -> None:
    lines = sample("debezium-orders").read_text().splitlines()
    value = json.loads(lines[cut % len(lines)])
    value["payload"][("op", "before", "after", "source")[cut % 4]] = junk
    value["schema"] = junk if cut % 3 else value["schema"]
    for one in (value, junk, value["payload"]):
        try:
            mapping().events(one, NOW)
        except ContractError:
            continue
