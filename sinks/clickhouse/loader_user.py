"""The loader's ClickHouse user: it writes, corrects and erases rows of one database, and can do nothing else.

`touchline migrate` needs more (tables, views, users) and runs as an administrator, once a version.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final
from xml.sax.saxutils import escape

from schemas.errors import SettingsError
from schemas.settings import ClickHouse
from sinks.clickhouse.migrate import IDENTIFIER

#: What the loader may do in its database, and why.
RIGHTS: Final = {
    "SELECT": "reconciliation reads what was loaded; owners are read from the dictionary's table",
    "INSERT": "every flush",
    "ALTER DELETE": "erasures, and the loader's own journal",
    "dictGet": "owners of identifiers",
}
#: Reconciliation holds the identifiers that it works on in temporary tables.
ELSEWHERE: Final = (
    "GRANT CREATE TEMPORARY TABLE ON *.*",
    "GRANT TABLE ENGINE ON Memory",
    # an erasure ends when its mutations do, and when the parts before them have left the disk
    "GRANT SELECT ON system.parts",
    "GRANT SELECT ON system.mutations",
    "GRANT SELECT ON system.tables",
    "GRANT SELECT ON system.columns",
)


@dataclass(frozen=True)
class LoaderUser:
    """Who the loader logs in as."""

    user: str
    password: str = field(repr=False)

    def __post_init__(self) -> None:
        """Raises SettingsError for a name that would need quoting, and for no password."""
        if not IDENTIFIER.fullmatch(self.user):
            raise SettingsError(
                f"{self.user!r} is no user: use letters, digits and _, beginning with a letter"
            )
        if not self.password:
            raise SettingsError("the loader's user needs a password: name a file that holds one")

    @property
    def digest(self) -> str:
        """The SHA-256 of the password, which is all that the server is told."""
        return sha256(self.password.encode()).hexdigest()


def loader_statements(where: ClickHouse, loader: LoaderUser) -> Iterator[str]:
    """The SQL that makes the user of a database; safe to repeat."""
    on = f" ON CLUSTER {where.cluster}" if where.cluster else ""
    yield f"CREATE USER OR REPLACE {loader.user}{on} IDENTIFIED WITH sha256_hash BY '{loader.digest}'"
    for grant in loader_grants(where.database):
        what, right = grant.split(" ", 1)
        yield f"{what}{on} {right} TO {loader.user}"


def loader_grants(database: str) -> Iterator[str]:
    """What the loader may do, without the name of the user at the end."""
    yield f"GRANT {', '.join(RIGHTS)} ON {database}.*"
    yield from ELSEWHERE


def loader_xml(database: str, loader: LoaderUser) -> str:
    """The same as an entry of a users.xml."""
    queries = "".join(f"<query>{escape(grant)}</query>" for grant in loader_grants(database))
    return (
        f"<{loader.user}><password_sha256_hex>{loader.digest}</password_sha256_hex>"
        f"<networks><ip>::/0</ip></networks><profile>default</profile><quota>default</quota>"
        f"<grants>{queries}</grants></{loader.user}>"
    )
