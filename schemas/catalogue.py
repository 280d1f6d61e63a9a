"""The catalogue: the meaning of each touchpoint type and channel. catalogue.toml explains every field.

Names are matched in canonical form (schemas/touchpoint/names.py), in the file as in a touchpoint.
"""

from collections.abc import Mapping, Set
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias, get_args

from schemas.errors import SettingsError
from schemas.toml_text import TomlText, is_number, is_texts, read_text
from schemas.touchpoint.names import canonical
from schemas.touchpoint.rules import MAX_CHANNEL_BYTES, MAX_NAME_BYTES

Direction: TypeAlias = Literal["inbound", "outbound", "internal"]
Moment: TypeAlias = Literal["ouch", "wow"]
Effect: TypeAlias = Literal[
    "cart_opened", "checkout_started", "order_placed", "order_returned", "order_cancelled", "refund",
    "issue_opened", "issue_solved", "survey",
]  # fmt: skip

COMPONENTS: Final = ("marketing", "sales", "commerce", "service", "other")
MAX_FRICTION: Final = 10.0
_TABLES: Final = ("stages", "purposes", "owners", "channels", "channel_aliases", "types", "aliases")
BUILT_IN: Final = Path(__file__).with_name("catalogue.toml")


@dataclass(frozen=True, slots=True)
class TouchpointType:
    """The meaning of one touchpoint type for a journey. An unknown type has these defaults."""

    component: str = "other"
    stage: str | None = None  #: lifecycle stage that the type enters; None if it enters none
    direction: Direction = "inbound"
    friction: float = 0.0  #: weight, 0-10
    moment: Moment | None = None
    effect: Effect | None = None  #: its effect on carts, orders and cases
    #: the team that answers for it; empty: that of its component. It is no part of a journey, so no fingerprint has it.
    owner: str = field(default="", repr=False)


UNKNOWN: Final = TouchpointType()


@dataclass(frozen=True)
class Catalogue:
    """Touchpoint types, channels, consent purposes and lifecycle stages, by canonical name."""

    stages: tuple[str, ...]  #: in the order of the lifecycle
    types: dict[str, TouchpointType]
    human_channels: frozenset[str]  #: channels with a person at our end
    channels: frozenset[str]
    purposes: frozenset[str] = frozenset()  #: what consent is given for
    type_aliases: Mapping[str, str] = field(default_factory=dict)  #: other names of types
    channel_aliases: Mapping[str, str] = field(default_factory=dict)
    owners: Mapping[str, str] = field(default_factory=dict)  #: component → the team that answers for it

    @classmethod
    def load(cls, path: str = "") -> "Catalogue":
        """The built-in catalogue, with the file at `path` (if any) laid over it. Raises SettingsError."""
        built_in = cls.parse(BUILT_IN.read_text(encoding="utf-8"), BUILT_IN.name)
        if not path:
            return built_in
        return cls.parse(read_text(path, "TOUCHLINE_CATALOGUE"), path, built_in)

    @classmethod
    def parse(cls, text: str, origin: str, base: "Catalogue | None" = None) -> "Catalogue":
        """Read a catalogue, laid over `base` if given. Raises SettingsError naming `origin`, line and fix."""
        source = TomlText(text, origin)
        for name in source.tables:
            if name not in _TABLES:
                raise SettingsError(
                    f"{source.place(name)} is unknown: use {', '.join(_TABLES[:-1])} or {_TABLES[-1]}"
                )
        under = base or cls((), {}, frozenset(), frozenset())
        stages = _stages(source) if "stages" in source.tables else under.stages
        channels = _channels(source)
        types = {
            name: _type(written, entry, stages, source)
            for name, (written, entry) in _entries(source, "types").items()
        }
        human = {name for name, kind in channels.items() if kind == "human"}
        types = {**under.types, **types}
        if base:
            _check_stages(types, stages, source)
            human |= base.human_channels - channels.keys()
        known = frozenset(channels) | under.channels
        type_aliases = _aliases(source, "aliases", types.keys(), under.type_aliases)
        channel_aliases = _aliases(source, "channel_aliases", known, under.channel_aliases)
        purposes = _purposes(source) | under.purposes
        owners = {**under.owners, **_owners(source)}
        return cls(stages, types, frozenset(human), known, purposes, type_aliases, channel_aliases, owners)

    def type(self, name: str) -> TouchpointType:
        """The meaning of a touchpoint type; an unknown one is inbound and of component "other"."""
        return self.types.get(self.type_name(name), UNKNOWN)

    def known(self, name: str) -> bool:
        """Whether the catalogue names this touchpoint type."""
        return self.type_name(name) in self.types

    def owner(self, name: str) -> str:
        """The team that answers for a touchpoint type; empty for a type that the catalogue does not name."""
        kind = self.types.get(self.type_name(name))
        return "" if kind is None else kind.owner or self.owners.get(kind.component, kind.component)

    def human(self, channel: str) -> bool:
        """Whether a person is at our end of the channel; an unknown channel is digital."""
        return self.channel_name(channel) in self.human_channels

    def type_name(self, name: str) -> str:
        """The catalogue's name of a type, from any spelling or alias; the canonical form of an unknown one."""
        name = canonical(name)
        return self.type_aliases.get(name, name)

    def channel_name(self, name: str) -> str:
        """The catalogue's name of a channel, from any spelling or alias; the canonical form of an unknown one."""
        name = canonical(name)
        return self.channel_aliases.get(name, name)


def _table(source: TomlText, name: str) -> dict[str, Any]:
    table = source.tables.get(name, {})
    if not isinstance(table, dict):
        raise SettingsError(f"{source.place(name)} must be a table, like [{name}]")
    return table


def _stages(source: TomlText) -> tuple[str, ...]:
    stages = source.tables["stages"]
    if not is_texts(stages, empty=False):
        raise SettingsError(
            f'{source.place("stages")} must be a list of names, like ["awareness", "purchase"]'
        )
    if len(set(stages)) != len(stages):
        raise SettingsError(f"{source.place('stages')} names a stage twice: remove one")
    return tuple(stages)


def _entries(source: TomlText, table: str) -> dict[str, tuple[str, Any]]:
    """Canonical name → the name as it is written, and its entry."""
    entries: dict[str, tuple[str, Any]] = {}
    for written, entry in _table(source, table).items():
        name = canonical(written)
        if not name:
            raise SettingsError(f"{source.place(table, written)} has no name: give it one")
        limit = MAX_CHANNEL_BYTES if table == "channels" else MAX_NAME_BYTES
        if len(name.encode()) > limit:
            raise SettingsError(f"{source.place(table, written)} has more than {limit} bytes: shorten it")
        if name in entries:
            raise SettingsError(
                f"{source.place(table, written)} is {name!r}, as {entries[name][0]!r} is: remove one"
            )
        entries[name] = written, entry
    return entries


def _channels(source: TomlText) -> dict[str, str]:
    channels = {}
    for name, (written, kind) in _entries(source, "channels").items():
        if kind not in ("digital", "human"):
            raise SettingsError(f'{source.place("channels", written)} is {kind!r}: use "digital" or "human"')
        channels[name] = kind
    return channels


def _purposes(source: TomlText) -> frozenset[str]:
    purposes = source.tables.get("purposes", [])
    if not is_texts(purposes) or not all(map(canonical, purposes)):
        raise SettingsError(f'{source.place("purposes")} must be a list of names, like ["marketing"]')
    return frozenset(map(canonical, purposes))


def _owners(source: TomlText) -> dict[str, str]:
    owners = {}
    for component, (written, team) in _entries(source, "owners").items():
        where = source.place("owners", written)
        if component not in COMPONENTS:
            raise SettingsError(
                f"{where} is no component: use {', '.join(COMPONENTS[:-1])} or {COMPONENTS[-1]}"
            )
        owners[component] = _team(team, where)
    return owners


def _team(value: object, where: str) -> str:
    if not isinstance(value, str) or not value.strip() or len(value.encode()) > MAX_NAME_BYTES:
        raise SettingsError(
            f'{where} is {value!r}: name a team in at most {MAX_NAME_BYTES} bytes, like "logistics"'
        )
    return value.strip()


def _aliases(source: TomlText, table: str, known: Set[str], base: Mapping[str, str]) -> dict[str, str]:
    """The base's aliases with those of the file. A type or channel of the file replaces a base alias of its name."""
    aliases = {alias: name for alias, name in base.items() if alias not in known}
    what = "type" if table == "aliases" else "channel"
    for alias, (written, target) in _entries(source, table).items():
        where = source.place(table, written)
        if alias in known:
            raise SettingsError(f"{where} is a {what} itself: remove the alias")
        if not isinstance(target, str) or canonical(target) not in known:
            raise SettingsError(f"{where} is {target!r}: name a {what} that the catalogue has")
        aliases[alias] = canonical(target)
    return aliases


def _type(name: str, entry: object, stages: tuple[str, ...], source: TomlText) -> TouchpointType:
    where = source.place("types", name)
    if not isinstance(entry, dict):
        raise SettingsError(f'{where} must be a table, like {{ component = "service" }}')
    allowed: dict[str, tuple[str, ...]] = {
        "component": COMPONENTS,
        "stage": stages,
        "direction": get_args(Direction),
        "moment": get_args(Moment),
        "effect": get_args(Effect),
    }
    for key, value in entry.items():
        if key == "friction":
            _check_friction(value, where)
        elif key == "owner":
            _team(value, f"{where}.owner")
        elif key not in allowed:
            raise SettingsError(
                f"{where}.{key} is unknown: use {', '.join(f.name for f in fields(TouchpointType))}"
            )
        elif value not in allowed[key]:
            raise SettingsError(
                f"{where}.{key} is {value!r}: use {' or '.join(allowed[key]) or 'a listed stage'}"
            )
    if "component" not in entry:
        raise SettingsError(f"{where} has no component: use {' or '.join(COMPONENTS)}")
    made = {"friction": float(entry.get("friction", 0.0)), "owner": entry.get("owner", "").strip()}
    return TouchpointType(**(entry | made))


def _check_friction(value: object, where: str) -> None:
    if not is_number(value, 0, MAX_FRICTION):
        raise SettingsError(f"{where}.friction is {value!r}: it must be a number from 0 to {MAX_FRICTION:g}")


def _check_stages(types: dict[str, TouchpointType], stages: tuple[str, ...], source: TomlText) -> None:
    """A file that lists stages of its own must still list those that the built-in types name."""
    for name, kind in types.items():
        if kind.stage is not None and kind.stage not in stages:
            raise SettingsError(
                f"{source.place('stages')} lacks {kind.stage!r}, which type {name} names:"
                " list it, or give the type another stage"
            )
