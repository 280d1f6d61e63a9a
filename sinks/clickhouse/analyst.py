"""The analyst: a ClickHouse user that can only read, within limits, only its tenants, and no secret.

Views that read internal tables do so with the rights of the user who migrates (SQL SECURITY DEFINER). The analyst has
no right on these tables, and a row policy on every view and table whose rows belong to a tenant. All other views read
with the rights of the one who asks. One description gives the statements that `touchline migrate` runs, and the
users.xml of a server that makes no users by SQL, such as the sandbox's.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Final
from xml.sax.saxutils import escape

from clickhouse_driver import Client, errors

from schemas.errors import SettingsError
from schemas.settings import ClickHouse, Settings
from sinks.clickhouse.connection import address, connect, reason, translated
from sinks.clickhouse.migrate import IDENTIFIER

#: Setting → value, fixed for the analyst. Bytes, seconds and rows of one query; queries at a time.
LIMITS: Final[dict[str, int | str]] = {
    "readonly": 2,  # 2 and not 1: BI tools set formats and time zones with each query
    "max_memory_usage": 4_000_000_000,
    "max_memory_usage_for_user": 8_000_000_000,
    "max_execution_time": 60,
    "max_rows_to_read": 2_000_000_000,
    "max_result_rows": 1_000_000,
    "max_result_bytes": 1_000_000_000,
    "max_concurrent_queries_for_user": 16,
    "result_overflow_mode": "throw",
    "read_overflow_mode": "throw",
    "timeout_overflow_mode": "throw",
    "allow_ddl": 0,
    "allow_introspection_functions": 0,
}
#: What no analyst reads itself: internal tables; original records, which may hold personal data that nobody
#: pseudonymised; a dictionary whose source has the password of the migrating user.
HIDDEN: Final = ("raw_*", "dead_letters", "identity_owners")
#: Views of hidden tables that show no customer, so that analysts of any tenant may read them.
OF_NO_TENANT: Final = ("reconciled",)

_READS_HIDDEN: Final = re.compile(r"\b(?:raw_\w+|dead_letters|identity_owners)\b")
_SHOWS_TENANT: Final = re.compile(r"SELECT (?:\{tenant:String\} AS |\w+\.)?tenant\b")
_ANYWHERE: Final = "<networks><ip>::/0</ip></networks>"
#: No right to make users; no storage for them.
_MAKES_NO_USERS: Final = (497, 514)


@dataclass(frozen=True)
class Analyst:
    """Who may read. `tenants` is empty for all of them."""

    user: str
    password: str = field(repr=False)
    tenants: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Raises SettingsError for a name that would need quoting."""
        if not IDENTIFIER.fullmatch(self.user):
            raise SettingsError(
                f"TOUCHLINE_ANALYST_USER is {self.user!r}: use letters, digits and _, beginning with a letter"
            )

    @classmethod
    def of(cls, settings: Settings) -> "Analyst | None":
        """The analyst that the settings name; None for none. Raises SettingsError."""
        if not settings.analyst_user:
            return None
        tenants = tuple(name.strip() for name in settings.analyst_tenants.split(",") if name.strip())
        return cls(settings.analyst_user, settings.analyst_secret(), tenants)


@dataclass(frozen=True)
class Readable:
    """What a database has for an analyst, by name."""

    definers: tuple[str, ...] = ()  #: views that read hidden tables
    tenanted: tuple[str, ...] = ()  #: views and tables whose rows belong to a tenant
    #: views that show hidden rows without their tenant: not for an analyst of some tenants
    untenanted: tuple[str, ...] = ()


def make_analyst(where: ClickHouse, analyst: Analyst) -> None:
    """Make the analyst, or make it again. Between its statements, for milliseconds, the user may be refused.

    Raises SettingsError if the server lets `where.user` make no users and has no such user either, or if both are one
    user; UnavailableError or SinkError as `connect` does.
    """
    if analyst.user == where.user:
        raise SettingsError(
            "TOUCHLINE_ANALYST_USER is the user of TOUCHLINE_CLICKHOUSE_URL, who writes: name another"
        )
    client = connect(where)
    try:
        with translated(where):
            readable = readable_in(client, where.database)
            for statement in view_statements(where, readable):
                client.execute(statement)
            try:
                for statement in user_statements(where, analyst, readable):
                    client.execute(statement)
            except errors.ServerException as error:
                if error.code not in _MAKES_NO_USERS:
                    raise
                if not _exists(client, where, analyst):
                    raise SettingsError(
                        f"{address(where)} lets user {where.user!r} make no users: give it ACCESS MANAGEMENT,"
                        " or have an administrator run what `touchline migrate --print-analyst sql` prints"
                        f" ({reason(error)})"
                    ) from error
    finally:
        client.disconnect()


def as_analyst(where: ClickHouse, analyst: Analyst) -> ClickHouse:
    """The same server and database, for the analyst."""
    return replace(where, user=analyst.user, password=analyst.password, limited=True)


def readable_in(client: Client, database: str) -> Readable:
    """What the database has for an analyst, from the definitions of its tables and views."""
    definitions: dict[str, str] = dict(
        client.execute(
            "SELECT name, as_select FROM system.tables WHERE database = %(database)s", {"database": database}
        )
    )
    columned = {
        name
        for (name,) in client.execute(
            "SELECT table FROM system.columns WHERE database = %(database)s AND name = 'tenant'",
            {"database": database},
        )
    }
    hidden = {name for name in definitions if _READS_HIDDEN.fullmatch(name)}
    definers = {name for name, text in definitions.items() if _READS_HIDDEN.search(text)}
    # system.columns knows no columns of a view with parameters
    tenanted = columned - hidden | {name for name in definers if _SHOWS_TENANT.match(definitions[name])}
    return Readable(
        tuple(sorted(definers)), tuple(sorted(tenanted)), tuple(sorted(definers - tenanted - {*OF_NO_TENANT}))
    )


def view_statements(where: ClickHouse, readable: Readable) -> Iterator[str]:
    """The SQL by which views read hidden tables for those who may not; safe to repeat."""
    for name in readable.definers:
        yield f"ALTER TABLE {where.database}.{name}{_on(where)} MODIFY DEFINER = CURRENT_USER SQL SECURITY DEFINER"


def user_statements(where: ClickHouse, analyst: Analyst, readable: Readable) -> Iterator[str]:
    """The SQL that makes the analyst of a database; safe to repeat."""
    user, on = analyst.user, _on(where)
    limits = ", ".join(f"{name} = {_literal(value)} CONST" for name, value in LIMITS.items())
    yield f"CREATE SETTINGS PROFILE OR REPLACE {user}{on} SETTINGS {limits}"
    known_by = f"IDENTIFIED WITH sha256_hash BY '{_digest(analyst)}'"
    yield f"CREATE USER OR REPLACE {user}{on} {known_by} SETTINGS PROFILE {user}"
    for grant in grants(analyst, where.database, readable):
        what, right = grant.split(" ", 1)
        yield f"{what}{on} {right} {'FROM' if what == 'REVOKE' else 'TO'} {user}"
    for name in readable.tenanted:
        policy = f"{user}_tenants{on} ON {where.database}.{name}"
        if analyst.tenants:
            yield f"CREATE ROW POLICY OR REPLACE {policy} FOR SELECT USING {tenants_condition(analyst)} TO {user}"
        else:
            yield f"DROP ROW POLICY IF EXISTS {policy}"


def grants(analyst: Analyst, database: str, readable: Readable) -> Iterator[str]:
    """What the analyst may do, without the name of the user at the end."""
    yield f"GRANT SELECT ON {database}.*"
    for name in (*HIDDEN, *(readable.untenanted if analyst.tenants else ())):
        yield f"REVOKE SELECT ON {database}.{name}"


def users_xml(
    analysts: Sequence[Analyst], database: str, readable: Readable, *, with_default: bool = False
) -> str:
    """A users.xml with the analysts; `with_default` with clickhouse-local's user `default`, who has no password."""
    profiles = "".join(_profile_xml(analyst) for analyst in analysts)
    users = "".join(_user_xml(analyst, database, readable) for analyst in analysts)
    if with_default:
        profiles += "<default/>"
        users += (
            f"<default><password/>{_ANYWHERE}<profile>default</profile><quota>default</quota>"
            "<named_collection_control>1</named_collection_control></default>"
        )
    quotas = "<default/>"
    return f"<clickhouse><profiles>{profiles}</profiles><quotas>{quotas}</quotas><users>{users}</users></clickhouse>\n"


def _profile_xml(analyst: Analyst) -> str:
    limits = "".join(f"<{name}>{value}</{name}>" for name, value in LIMITS.items())
    fixed = "".join(f"<{name}><const/></{name}>" for name in LIMITS)
    return f"<{analyst.user}>{limits}<constraints>{fixed}</constraints></{analyst.user}>"


def _user_xml(analyst: Analyst, database: str, readable: Readable) -> str:
    queries = "".join(f"<query>{escape(grant)}</query>" for grant in grants(analyst, database, readable))
    condition = escape(tenants_condition(analyst))
    filters = "".join(f"<{name}><filter>{condition}</filter></{name}>" for name in readable.tenanted)
    databases = f"<databases><{database}>{filters}</{database}></databases>" if analyst.tenants else ""
    return (
        f"<{analyst.user}><password_sha256_hex>{_digest(analyst)}</password_sha256_hex>{_ANYWHERE}"
        f"<profile>{analyst.user}</profile><quota>default</quota><grants>{queries}</grants>{databases}</{analyst.user}>"
    )


def tenants_condition(analyst: Analyst) -> str:
    """The rows of the analyst's tenants, as SQL."""
    return f"tenant IN ({', '.join(map(_literal, analyst.tenants))})"


def _on(where: ClickHouse) -> str:
    return f" ON CLUSTER {where.cluster}" if where.cluster else ""


def _digest(analyst: Analyst) -> str:
    return sha256(analyst.password.encode()).hexdigest()


def _literal(value: int | str) -> str:
    if isinstance(value, int):
        return str(value)
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _exists(client: Client, where: ClickHouse, analyst: Analyst) -> bool:
    """Whether somebody else has made the analyst."""
    try:
        return bool(
            client.execute("SELECT 1 FROM system.users WHERE name = %(name)s", {"name": analyst.user})
        )
    except errors.ServerException:
        # who may not list users can still be one
        return _answers(as_analyst(where, analyst))


def _answers(where: ClickHouse) -> bool:
    try:
        connect(where).disconnect()
    except SettingsError:
        return False
    return True
