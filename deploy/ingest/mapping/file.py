"""Reads a mapping file (TOML), or one that is shipped. Every error is one sentence that names the key and the fix."""

from collections.abc import Mapping
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final

from deploy.ingest.mapping.change_data import Operation
from deploy.ingest.mapping.columns import NUMBERED, ColumnMapping
from deploy.ingest.mapping.row_events import Condition, EventRule, SourceMapping, Table
from deploy.ingest.mapping.tables import KEYS, MappingTables
from schemas.errors import SettingsError
from schemas.keys import NAME_PATTERN
from schemas.toml_text import parse_toml
from schemas.touchpoint.json_form import DEFAULT_TENANT
from streams.collect.mapping_file import parse_mapping as parse_messages
from streams.collect.senders import Sender

SHIPPED: Final = Path(__file__).with_name("shipped")
#: What an event may say for itself, over what the file says for all.
_EVENT_TABLES: Final = (
    "constants", "columns", "identifiers", "attributes", "consent", "experiments", "score", "lookup",
)  # fmt: skip
_EVENT_KEYS: Final = ("name", "on", "changed", "when", "repeat", *_EVENT_TABLES)
#: What an event does not take over from the file.
_FILE_ONLY: Final = ("events", "when", "unless", "change")
_MESSAGE_KEYS: Final = ("messages", "constants", "encoding", "mapping")
_OPERATIONS: Final = tuple(Operation)


def shipped() -> list[str]:
    """The names of the mappings that come with Touchline."""
    return sorted(path.stem for path in SHIPPED.glob("*.toml"))


def mapping_text(named: str) -> str:
    """The text of a mapping file, or of a shipped one if there is no such file. Raises SettingsError."""
    path = Path(named)
    if named in shipped() and not path.exists():
        path = SHIPPED / f"{named}.toml"
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        near = "".join(f"; did you mean {one}?" for one in get_close_matches(named, shipped(), 1))
        hint = "" if path.suffix else f" (shipped are {', '.join(shipped())}{near})"
        raise SettingsError(f"the mapping {named} cannot be read: {error}{hint}") from error


def load_mapping(named: str) -> SourceMapping:
    """Read and check a mapping file, or a shipped mapping. Raises SettingsError naming the key and the fix."""
    return parse_mapping(mapping_text(named), named)


def parse_mapping(text: str, origin: str) -> SourceMapping:
    """Check the text of a mapping file. Raises SettingsError naming `origin`, the key and the fix."""
    tables = parse_toml(text, origin)
    if "messages" in tables:
        return _messages(MappingTables(tables, origin))
    file = MappingTables(tables, origin)
    file.only("", tables, KEYS)
    rules = tables.get("events", [])
    if not isinstance(rules, list) or not all(isinstance(rule, dict) for rule in rules):
        file.fail("events is no list of tables", "begin each of them with [[events]]")
    change = _change(file)
    columns = file.mapping()
    file.check_event_id()
    parsed = [_rule(file, number, rule, change) for number, rule in enumerate(rules, start=1)]
    names = [rule.name for rule in parsed]
    if len(set(names)) != len(names):
        file.fail("two events have one name", "give each a name of its own: it ends the event id")
    if not rules:
        file.check_whole(columns)
    return SourceMapping(
        columns,
        tuple(parsed),
        _conditions(file, "when", tables.get("when", {})),
        _conditions(file, "unless", tables.get("unless", {})),
        change,
    )


def _messages(file: MappingTables) -> SourceMapping:
    """A mapping by which rows are messages of a tracking SDK: read as the collector reads them."""
    file.only("", file.tables, _MESSAGE_KEYS)
    if file.tables["messages"] != "segment":
        file.fail(f"messages is {file.tables['messages']!r}", 'use "segment": RudderStack writes them so too')
    constants = file.table("constants")
    file.only("constants", constants, ("tenant", "source", "channel"))
    if "source" not in file.texts("constants"):
        file.fail("nothing says what source is", 'add source = "name" under [constants]')
    path = file.tables.get("mapping", "")
    text = mapping_text(file.text("mapping", path)) if path else ""
    sender = Sender(
        constants["source"],
        constants.get("tenant", DEFAULT_TENANT),
        constants["source"],
        constants.get("channel"),
    )
    # the collector reads numbers as JSON libraries do
    columns = ColumnMapping({}, {}, {}, layout=replace(file.layout(), exact=False))
    return SourceMapping(columns, messages=parse_messages(text, path or file.origin), sender=sender)


def _change(file: MappingTables) -> Table | None:
    if "change" not in file.tables:
        return None
    table = file.table("change")
    file.only("change", table, ("tables", "columns"))
    return Table(*(file.names(f"change.{name}", table.get(name, [])) for name in ("tables", "columns")))


def _rule(file: MappingTables, number: int, rule: dict[str, Any], change: Table | None) -> EventRule:
    name = rule.get("name")
    if not isinstance(name, str) or not NAME_PATTERN.fullmatch(name):
        file.fail(f"events {number} has no name", 'add name = "closed", or the like: it ends the event id')
    file.only(f"events {name}", rule, _EVENT_KEYS)
    shared = {key: value for key, value in file.tables.items() if key not in _FILE_ONLY}
    own = MappingTables(shared, file.origin)
    own.tables |= {key: _over(own, name, key, rule[key]) for key in _EVENT_TABLES if key in rule}
    _settle(own, rule)
    mapping = own.mapping()
    own.check_whole(mapping)
    on, changed = rule.get("on", list(_OPERATIONS)), rule.get("changed", [])
    if change is None and ("on" in rule or "changed" in rule):
        file.fail(f"events {name} says on or changed, but rows are no change data", "add a table [change]")
    if not isinstance(on, list) or not on or not set(on) <= set(_OPERATIONS):
        file.fail(f"events {name}: on is {on!r}", f"list some of {', '.join(_OPERATIONS)}")
    repeat = rule.get("repeat", "")
    if "repeat" in rule and NUMBERED not in file.text(f"events {name}: repeat", repeat):
        file.fail(f"events {name}: repeat is {repeat!r}", "write {n} where the column has its number")
    return EventRule(
        name,
        mapping,
        _conditions(file, f"events {name}: when", rule.get("when", {})),
        frozenset(map(Operation, on)),
        file.names(f"events {name}: changed", changed),
        repeat,
    )


def _over(own: MappingTables, event: str, key: str, value: Any) -> Any:
    """An event's table over the file's, entry by entry."""
    base = own.tables.get(key, {})
    if key == "attributes":
        base, value = (
            {name: name for name in one} if isinstance(one, list) else one for one in (base, value)
        )
    if not isinstance(value, dict):
        own.fail(f"events {event}: {key} is not a table", f"begin it with [events.{key}]")
    return {**base, **value} if isinstance(base, dict) else value


def _settle(own: MappingTables, rule: Mapping[str, Any]) -> None:
    """An event's constant goes before the file's column, and its column before the file's constant."""
    for mine, theirs in (("constants", "columns"), ("columns", "constants")):
        said = rule.get(mine, {})
        if theirs in own.tables:
            own.tables[theirs] = {
                name: value
                for name, value in own.table(theirs).items()
                if name not in said or name in rule.get(theirs, {})
            }
    looked_up = own.table("lookup")
    unused = [name for name in looked_up if name in rule.get("constants", {})]
    if unused:
        own.tables["lookup"] = {name: value for name, value in looked_up.items() if name not in unused}


def _conditions(file: MappingTables, where: str, table: object) -> tuple[Condition, ...]:
    if not isinstance(table, dict):
        file.fail(f"{where} is not a table", f"begin it with [{where.rpartition(' ')[2]}]")
    return tuple(_condition(file, where, column, value) for column, value in table.items())


def _condition(file: MappingTables, where: str, column: str, value: object) -> Condition:
    if isinstance(value, bool):
        return Condition(column, filled=value)
    values = value if isinstance(value, list) else [value]
    if not values or not all(isinstance(one, (str, int)) and not isinstance(one, bool) for one in values):
        file.fail(
            f"{where}: {column!r} is {value!r}",
            "write a text or a list of texts that the cell may be, true for a filled cell, false for an empty one",
        )
    return Condition(column, frozenset(map(str, values)))
