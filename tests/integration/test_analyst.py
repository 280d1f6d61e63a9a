"""The analyst reads what is for it, and nothing else: every way out is tried, on a server with two analysts."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from itertools import product
from xml.etree import ElementTree as ET

import pytest
from clickhouse_driver import Client, errors

from deploy.kafka_admin.meanings import meanings
from deploy.reports.parameters import values_of
from deploy.sandbox import ClickHouseServer
from schemas import topics
from schemas.encoding.record_types import DEAD_LETTER, IDENTITY_ASSIGNMENT, JOURNEY_STATE
from schemas.errors import SettingsError, SinkError
from schemas.settings import ClickHouse, Settings
from sinks.clickhouse.analyst import (
    LIMITS,
    Analyst,
    Readable,
    as_analyst,
    make_analyst,
    readable_in,
    user_statements,
    users_xml,
    view_statements,
)
from sinks.clickhouse.connection import connect
from sinks.clickhouse.migrate import migrate
from sinks.clickhouse.read.query import select
from sinks.clickhouse.read.questions import questions, reads, statement
from sinks.clickhouse.write.catalogue import put_in_force
from tests.integration.store import Store, migrated
from tests.support.kafka_records import assignment, example, resolved_bytes

pytestmark = pytest.mark.sandbox

ALL = Analyst("analyst", "a secret")
#: Names that would break out of a literal that is not quoted, and out of XML that is not escaped.
ODD = "o'x <b>&\\"
SOME = Analyst("shop_analyst", "another", ("shop", ODD))
PASSWORD = "hunter2-of-the-migrating-user"
REFUSED = 497


@pytest.fixture(scope="module")
def where(clickhouse: ClickHouseServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClickHouse]:
    """A server with a touchpoint, a state and an owner of three tenants, and with a dead letter."""
    known = migrated(clickhouse)
    client = connect(known)
    readable = readable_in(client, known.database)
    client.disconnect()
    folder = tmp_path_factory.mktemp("analyst")
    server = ClickHouseServer(
        folder / "data", folder, users=users_xml([ALL, SOME], "touchline", readable, with_default=True)
    )
    server.start()
    where = ClickHouse.from_url(server.url)
    migrate(where)
    put_in_force(where, meanings(Settings()))
    make_analyst(where, ALL)
    store = Store(where)
    for tenant in ("shop", ODD, "bank"):
        store.load(
            topics.JOURNEY_INPUTS, resolved_bytes("e1", tenant=tenant, type="support_call", issue_id="i1")
        )
        state = {**example("JourneyState"), "tenant": tenant}
        store.load(topics.JOURNEY_STATES, JOURNEY_STATE.encode(state))
        owned = {**assignment("a", "p1", 1), "tenant": tenant, "correction": None}
        store.load(topics.IDENTITY_ASSIGNMENTS, IDENTITY_ASSIGNMENT.encode(owned))
    store.load(topics.DEAD_LETTERS, DEAD_LETTER.encode(example("DeadLetter")))
    store.disconnect()
    yield where
    server.stop()


@pytest.fixture(params=[ALL, SOME], ids=["of all tenants", "of two tenants"])
def client(where: ClickHouse, request: pytest.FixtureRequest) -> Iterator[Client]:
    client = connect(as_analyst(where, request.param))
    yield client
    client.disconnect()


@pytest.fixture
def limited(where: ClickHouse) -> Iterator[Client]:
    client = connect(as_analyst(where, SOME))
    yield client
    client.disconnect()


def refused(client: Client, sql: str) -> int:
    """The code with which the server refuses a statement; 0 if it carries it out."""
    try:
        client.execute(sql)
    except errors.ServerException as error:
        return int(error.code)
    return 0


@pytest.mark.parametrize(
    "source",
    [
        "file('/etc/passwd', 'LineAsString')", "url('http://127.0.0.1:1', 'CSV', 'a String')",
        "remote('127.0.0.1', 'system', 'one')", "remoteSecure('127.0.0.1', 'system', 'one')",
        "mysql('127.0.0.1:1', 'a', 'b', 'c', 'd')", "postgresql('127.0.0.1:1', 'a', 'b', 'c', 'd')",
        "mongodb('127.0.0.1:1', 'a', 'b', 'c', 'd', 'a Int')", "redis('127.0.0.1:1', 'a', 'a String')",
        "s3('http://bucket.s3.amazonaws.com/a', 'CSV')", "gcs('http://bucket.s3.amazonaws.com/a', 'CSV')",
        "azureBlobStorage('http://a', 'b', 'c')", "hdfs('hdfs://a/b', 'CSV', 'a String')", "sqlite('/tmp/x', 'y')",
        "odbc('DSN=a', 'b', 'c')", "jdbc('a', 'b', 'c')", "icebergLocal('/tmp')", "deltaLakeLocal('/tmp')",
        "executable('x', 'CSV', 'a String', (SELECT 1))", "dictionary('touchline.identity_owners')",
        "loop(touchline.raw_touchpoints)", "mergeTreeIndex('touchline', 'raw_touchpoints')",
        "touchline.raw_touchpoints", "touchline.raw_journey_states", "touchline.dead_letters",
        "touchline.identity_owners", "system.users", "system.processes", "system.dictionaries",
    ],
)  # fmt: skip
def test_it_reads_no_table_function_that_goes_elsewhere_and_nothing_internal(
    client: Client, source: str
) -> None:
    assert refused(client, f"SELECT * FROM {source}") == REFUSED


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE touchline.x (a Int) ENGINE = Memory", "CREATE TEMPORARY TABLE x (a Int)",
        "CREATE VIEW touchline.x AS SELECT 1", "CREATE FUNCTION f AS x -> x", "CREATE DATABASE x", "CREATE USER x",
        "INSERT INTO touchline.journey_settings (name, value) VALUES ('a', 1)",
        "ALTER TABLE touchline.journey_settings DELETE WHERE 1", "TRUNCATE TABLE touchline.journey_settings",
        "DROP TABLE touchline.journey_settings", "OPTIMIZE TABLE touchline.journey_settings",
        "ALTER TABLE touchline.touchpoints_current MODIFY SQL SECURITY INVOKER", "KILL QUERY WHERE 1",
        "SYSTEM FLUSH LOGS", "GRANT SELECT ON *.* TO analyst",
    ],
)  # fmt: skip
def test_it_changes_nothing(client: Client, statement: str) -> None:
    assert refused(client, statement) != 0


@pytest.mark.parametrize("name", LIMITS)
def test_it_cannot_change_its_limits(client: Client, name: str) -> None:
    other = "'break'" if isinstance(LIMITS[name], str) else 0 if LIMITS[name] else 1
    assert refused(client, f"SET {name} = {other}") != 0
    assert refused(client, f"SELECT 1 SETTINGS {name} = {other}") != 0


@pytest.mark.parametrize(
    "sql",
    ["SELECT * FROM numbers(1000001)", "SELECT count() FROM numbers(2000000001)"],
    ids=["result", "read"],
)
def test_a_query_that_would_take_too_much_is_ended(client: Client, sql: str) -> None:
    assert refused(client, sql) in (158, 396)


@pytest.mark.parametrize(
    "sql",
    [
        "SHOW CREATE DICTIONARY touchline.identity_owners",
        "SHOW CREATE DICTIONARY touchline.identity_owners SETTINGS format_display_secrets_in_show_and_select = 1",
        "SELECT dictGet('touchline.identity_owners', 'profile_id', ('shop', 'cookie', 'a'))",
    ],
)
def test_the_dictionary_with_the_password_shows_neither_its_source_nor_its_rows(
    client: Client, sql: str
) -> None:
    assert refused(client, sql) == REFUSED


def test_no_catalogue_of_the_server_holds_the_password_or_an_original_record(
    where: ClickHouse, client: Client
) -> None:
    admin = connect(where)
    secret = f"SOURCE(CLICKHOUSE(TABLE 'identity_current' USER 'default' PASSWORD '{PASSWORD}'))"
    admin.execute(
        f"CREATE OR REPLACE DICTIONARY touchline.identity_owners (tenant String, profile_id UUID) PRIMARY KEY tenant"
        f" {secret} LAYOUT(COMPLEX_KEY_HASHED()) LIFETIME(60)"
    )
    shown = 0
    for (name,) in admin.execute("SELECT name FROM system.tables WHERE database = 'system'"):
        try:
            rows = client.execute(f"SELECT * FROM system.{name} LIMIT 1000")
        except errors.ServerException:
            continue
        shown += 1
        assert PASSWORD not in repr(rows), name
    admin.disconnect()
    assert shown > 0


def test_an_analyst_of_two_tenants_sees_them_in_every_view_and_table_and_no_other(
    where: ClickHouse, limited: Client
) -> None:
    admin = connect(where)
    readable = readable_in(admin, where.database)
    seen = set()
    for name in readable.tenanted:
        if name in questions() or name in ("identity_at", "identity_evidence_between"):
            continue
        found = {tenant for (tenant,) in limited.execute(f"SELECT DISTINCT tenant FROM touchline.{name}")}
        everything = {tenant for (tenant,) in admin.execute(f"SELECT DISTINCT tenant FROM touchline.{name}")}
        assert found == everything & {"shop", ODD}, name
        seen |= found
    assert seen == {"shop", ODD}
    admin.disconnect()


def test_every_question_can_be_asked_and_who_names_another_tenant_gets_nothing(limited: Client) -> None:
    typed = {"tenant": "bank", "since": "1970-01-02", "until": "2200-01-01"}
    for name, question in questions().items():
        if any(item.name == "tenant" for item in question.parameters):
            others = {
                item.name: "x" if item.default is None else item.default for item in question.parameters
            }
            sql, values = statement(question, values_of(question, others | typed, moment))
            assert limited.execute(sql, values) == [], name


def moment(text: str, _: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


def test_the_same_questions_have_answers_for_its_own_tenant(limited: Client) -> None:
    since = "tenant = 'shop', since = '1970-01-01', until = '2200-01-01'"
    for view in (f"issues({since})", f"friction_by_owner({since})", "health_tables(tenant = 'shop')"):
        assert limited.execute(f"SELECT * FROM touchline.{view}"), view
    at = "identity_at(at = '2200-01-01')"
    assert {tenant for (tenant,) in limited.execute(f"SELECT tenant FROM touchline.{at}")} == {"shop", ODD}


def test_questions_that_ask_others_are_answered_whatever_database_they_are_asked_from(
    where: ClickHouse,
) -> None:
    elsewhere = connect(as_analyst(where, ALL), use=False)
    known = questions()
    nested = [
        name for name, sources in reads().items() if any(s in known and known[s].parameters for s in sources)
    ]
    assert {"service_quality", "orders", "scores"} <= set(nested)
    for name in nested:
        asked = known[name].example.replace(f"FROM {name}", f"FROM {where.database}.{name}")
        assert refused(elsewhere, asked) == 0, asked
    elsewhere.disconnect()


def test_dead_letters_are_counted_for_an_analyst_of_all_tenants_and_hidden_from_others(
    where: ClickHouse, limited: Client
) -> None:
    every = connect(as_analyst(where, ALL))
    span = "since = '1970-01-01', until = '2200-01-01'"
    assert every.execute("SELECT letters FROM touchline.dead_letter_kinds") == [(1,)]
    assert every.execute(f"SELECT letters FROM touchline.health_dead_letters({span})") == [(1,)]
    every.disconnect()
    assert refused(limited, "SELECT letters FROM touchline.dead_letter_kinds") == REFUSED
    assert refused(limited, f"SELECT * FROM touchline.health_dead_letters({span})") == REFUSED


def test_queries_of_the_command_line_read_as_the_analyst(where: ClickHouse) -> None:
    names, rows = select(as_analyst(where, SOME), "SELECT tenant FROM touchpoints_current ORDER BY tenant")
    assert (names, rows) == (["tenant"], [(ODD,), ("shop",)])
    with pytest.raises(SinkError):
        select(as_analyst(where, SOME), "INSERT INTO journey_settings (name, value) VALUES ('a', 1)")


def test_a_server_that_makes_no_users_is_told_apart_from_one_that_has_the_user(where: ClickHouse) -> None:
    make_analyst(where, SOME)
    with pytest.raises(SettingsError, match="make no users: give it ACCESS MANAGEMENT"):
        make_analyst(where, Analyst("nobody", "x"))
    with pytest.raises(SettingsError, match="who writes: name another"):
        make_analyst(where, Analyst("default", "x"))


def test_the_statements_for_a_server_that_makes_users_are_valid_sql(where: ClickHouse) -> None:
    admin = connect(where)
    readable = readable_in(admin, where.database)
    assert {"touchpoints_current", "journeys", "health_tables"} <= set(readable.definers)
    assert set(readable.untenanted) == {"dead_letter_kinds", "health_dead_letters"}
    for analyst, place in product((ALL, SOME), (where, replace(where, cluster="live"))):
        written = [*view_statements(place, readable), *user_statements(place, analyst, readable)]
        for sql in written:
            assert admin.execute("SELECT formatQuery(%(sql)s)", {"sql": sql})[0][0]
        assert all((" ON CLUSTER live " in sql) == bool(place.cluster) for sql in written)
        assert not any(analyst.password in sql for sql in written)
        assert sum("CREATE ROW POLICY" in s for s in written) == (
            len(readable.tenanted) if analyst.tenants else 0
        )
    admin.disconnect()


@pytest.mark.parametrize("name", ["", "a b", "a'; DROP TABLE x", "1a"])
def test_a_name_that_would_need_quoting_is_refused(name: str) -> None:
    with pytest.raises(SettingsError, match="TOUCHLINE_ANALYST_USER"):
        Analyst(name, "x")


def test_every_table_and_view_is_for_analysts_of_two_tenants_hidden_filtered_or_without_customers(
    where: ClickHouse,
) -> None:
    """A new table that holds customers has a column `tenant`, or is named raw_…: this list grows by neither."""
    admin = connect(where)
    readable: Readable = readable_in(admin, where.database)
    names = {name for (name,) in admin.execute("SELECT name FROM system.tables WHERE database = 'touchline'")}
    free = names - set(readable.tenanted) - set(readable.untenanted) - set(questions())
    assert {name for name in free if not name.startswith("raw_")} == {
        "catalogue_channels", "catalogue_purposes", "catalogue_types", "currency_exponents", "dead_letters",
        "identity_owners",
        "journey_settings", "schema_migrations",
        "identity_evidence_between",  # has parameters, and reads identity_evidence as the one who asks
    }  # fmt: skip
    admin.disconnect()


def test_what_is_printed_for_a_servers_configuration_has_the_analyst_and_nobody_else(
    where: ClickHouse,
) -> None:
    printed = ET.fromstring(users_xml([SOME], "touchline", Readable(tenanted=("journeys",))))
    users = printed.find("users")
    assert users is not None
    assert [user.tag for user in users] == [SOME.user]
    assert (
        printed.findtext(f"users/{SOME.user}/databases/touchline/journeys/filter")
        == "tenant IN ('shop', 'o\\'x <b>&\\\\')"
    )
    assert SOME.password not in ET.tostring(printed, encoding="unicode")
