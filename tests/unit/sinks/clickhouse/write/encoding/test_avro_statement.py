import pytest

from schemas.encoding.registry import current
from sinks.clickhouse.write.encoding.avro_input import InputColumn, columns, field_at
from sinks.clickhouse.write.encoding.avro_statement import AVRO_RECORDS, statement
from sinks.clickhouse.write.encoding.columns import Source
from sinks.clickhouse.write.encoding.tables import TABLES
from tests.support.kafka_records import example


@pytest.mark.parametrize("name", AVRO_RECORDS)
def test_a_column_is_made_in_python_and_in_sql_or_in_neither(name: str) -> None:
    table = TABLES[name]

    assert list(table.expressions(current()[name])) == list(table.row(example(name), Source("a-topic", 0, 0)))


@pytest.mark.parametrize("name", AVRO_RECORDS)
def test_every_field_of_the_record_is_read(name: str) -> None:
    said = " ".join(TABLES[name].expressions(current()[name]).values())

    assert [column.name for column in columns(current()[name]) if column.name not in said] == []


def test_a_field_is_found_by_its_path_through_records_and_branches() -> None:
    found = {column.name: column.type for column in columns(current()["JourneyState"])}

    assert found["tenant"] == "String"
    assert found["as_of"] == "Int64"
    assert found["account_id.string"] == "String"
    assert found["nps.double"] == "Nullable(Float64)"
    assert found["session.Session.started_at"] == "Nullable(Int64)"
    # a type that is defined elsewhere, and a union in it
    assert found["marketing_last.MarketingTouch.campaign.string"] == "String"
    assert found["identifiers"] == "Array(Tuple(`type` String, `value` String))"
    assert found["channels"].startswith("Map(String, Tuple(`touchpoints` Int64, ")
    assert "`status` Int64" in found["expectations"]


def test_what_clickhouse_would_take_and_the_codec_refuses_is_checked() -> None:
    found = {column.name: column.checks for column in columns(current()["ResolvedTouchpoint"])}

    assert found["profile_id"] == ("isValidUTF8(`profile_id`)",)
    assert found["version"] == ()
    assert found["touchpoint.link"] == ("`touchpoint.link` BETWEEN 0 AND 1",)
    assert found["touchpoint.consent"] == (
        "arrayUniq(mapKeys(`touchpoint.consent`)) = length(mapKeys(`touchpoint.consent`))",
        "arrayAll(i0 -> isValidUTF8(i0), mapKeys(`touchpoint.consent`))",
        "arrayAll(i0 -> i0 BETWEEN 0 AND 2, mapValues(`touchpoint.consent`))",
    )
    # null is allowed
    assert found["touchpoint.score.Score.kind"] == (
        "ifNull(`touchpoint.score.Score.kind` BETWEEN 0 AND 2, 1)",
    )


def test_arrays_in_arrays_have_variables_of_their_own() -> None:
    (column,) = (one for one in columns(current()["JourneyState"]) if one.name == "open_issues")

    assert isinstance(column, InputColumn)
    assert "arrayAll(i1 -> isValidUTF8(i1), tupleElement(i0, 'channels'))" in column.checks[0]


def test_symbols_stand_in_the_order_of_their_numbers() -> None:
    consent = field_at(current()["JourneyState"], ["consent"])

    assert consent.value("v").schema["symbols"] == ["GRANTED", "DENIED", "REVOKED"]


def test_the_statement_names_the_table_of_the_record() -> None:
    assert statement("JourneyState", "shop").startswith(
        "INSERT INTO shop.raw_journey_states (tenant, profile_id, "
    )
