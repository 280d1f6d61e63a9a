"""A fix (TOML): what to change in a touchpoint before it is sent through again. Order: rename, drop, set, clamp.

[rename]
"identifiers.mail" = "identifiers.email"     # an identifier's type
"attributes.customer" = "identifiers.customer_id"
[drop]
identifiers = ["phone", "device_id:0000"]    # all of a type, or one value
fields = ["score", "attributes.debug"]
[set]
currency = "EUR"                             # in the JSON form of a touchpoint
[clamp]
latest = "received_at"                       # or an ISO time; occurred_at is moved there if it is beyond
earliest = "2020-01-01T00:00:00Z"
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from schemas.errors import ContractError
from schemas.keys import NAME_PATTERN
from schemas.records import Touchpoint
from schemas.toml_text import TomlText, is_texts, read_text
from schemas.touchpoint.intake import accept
from schemas.touchpoint.json_form import FIELDS, to_json, to_ms
from schemas.touchpoint.names import type_letters

_SECTIONS: Final = ("rename", "drop", "set", "clamp")
_MAPS: Final = ("identifiers", "attributes", "experiments", "consent")
_RECEIVED: Final = "received_at"


@dataclass(frozen=True)
class Fix:
    """A fix file's content, checked."""

    rename: Mapping[str, str]
    drop_identifiers: tuple[tuple[str, str | None], ...]  #: type and value; None for every value
    drop_fields: tuple[str, ...]
    set: Mapping[str, Any]
    earliest: int | None  #: UTC ms
    latest: int | str | None  #: UTC ms, or "received_at"

    def apply(self, touchpoint: Touchpoint) -> Touchpoint:
        """The touchpoint, mended. Raises ContractError if it still breaks its contract."""
        form: dict[str, Any] = {
            **to_json(touchpoint),
            "occurred_at": touchpoint["occurred_at"],
            "received_at": touchpoint["received_at"],
        }
        return accept(self.mend(form, touchpoint["received_at"]), touchpoint["received_at"])

    def mend(self, form: dict[str, Any], received_at: int) -> dict[str, Any]:
        """The JSON form of a touchpoint received at `received_at` (UTC ms), mended but not checked.

        Its `identifiers` are a list. `form` is mutated. Raises ContractError if its times cannot be read.
        """
        form.setdefault(_RECEIVED, received_at)
        for source, target in self.rename.items():
            for value in _take(form, source):
                _put(form, target, value)
        form["identifiers"] = [one for one in form.get("identifiers", []) if not self._drops(one)]
        for path in self.drop_fields:
            _take(form, path)
        form |= self.set
        self._clamp(form)
        return form

    def _drops(self, identifier: Mapping[str, str]) -> bool:
        return any(
            type_letters(identifier["type"]) == type_letters(kind) and value in (None, identifier["value"])
            for kind, value in self.drop_identifiers
        )

    def _clamp(self, form: dict[str, Any]) -> None:
        at = to_ms(form["occurred_at"], "occurred_at")
        if self.earliest is not None:
            at = max(at, self.earliest)
        if self.latest is not None:
            latest = to_ms(form[_RECEIVED], _RECEIVED) if isinstance(self.latest, str) else self.latest
            at = min(at, latest)
        form["occurred_at"] = at


def load_fix(path: str) -> Fix:
    """Read a fix file. Raises SettingsError that names the file, the line and the slip."""
    text = read_text(path, "--fix")
    return parse_fix(text, path)


def parse_fix(text: str, origin: str) -> Fix:
    """Read a fix. Raises SettingsError naming `origin`, the line and what to write instead."""
    source = TomlText(text, origin)
    document, refuse = source.tables, source.error
    for name, table in document.items():
        if name not in _SECTIONS or not isinstance(table, dict):
            raise refuse((name,), f"a fix has the tables {', '.join(_SECTIONS)}")
    for old, target in document.get("rename", {}).items():
        if not (_is_path(old) and isinstance(target, str) and _is_path(target)):
            raise refuse(
                ("rename", old), 'write "field" or "identifiers.TYPE" or "attributes.NAME" on both sides'
            )
    drop = document.get("drop", {})
    for name, listed in drop.items():
        if name not in ("identifiers", "fields"):
            raise refuse(("drop", name), "drop has the lists identifiers and fields")
        if not is_texts(listed):
            raise refuse(("drop", name), "write a list of texts")
    for path in drop.get("fields", []):
        if not _is_path(path):
            raise refuse(("drop", "fields"), f"{path!r} is no field of a touchpoint")
    for name in document.get("set", {}):
        if name not in FIELDS:
            raise refuse(("set", name), f"a touchpoint has the fields {', '.join(FIELDS)}")
    clamp = document.get("clamp", {})
    for name in clamp:
        if name not in ("earliest", "latest"):
            raise refuse(("clamp", name), "clamp has earliest and latest")
    times: dict[str, int | str] = {}
    for name, value in clamp.items():
        try:
            times[name] = _RECEIVED if name == "latest" and value == _RECEIVED else to_ms(value, name)
        except ContractError as error:
            raise refuse(("clamp", name), str(error)) from error
    earliest = times.get("earliest")
    return Fix(
        rename=document.get("rename", {}),
        drop_identifiers=tuple(_identifier(one) for one in drop.get("identifiers", [])),
        drop_fields=tuple(drop.get("fields", [])),
        set=document.get("set", {}),
        earliest=earliest if isinstance(earliest, int) else None,
        latest=times.get("latest"),
    )


def _identifier(text: str) -> tuple[str, str | None]:
    kind, colon, value = text.partition(":")
    return kind, value if colon else None


def _is_path(path: str) -> bool:
    name, dot, rest = path.partition(".")
    if not dot:
        return name in FIELDS
    return (
        name in _MAPS and bool(rest) and (name != "identifiers" or NAME_PATTERN.fullmatch(rest) is not None)
    )


def _take(form: dict[str, Any], path: str) -> list[Any]:
    """Remove what stands at a path and return it; several values for a type of identifier."""
    name, _, rest = path.partition(".")
    if not rest:
        return [form.pop(name)] if name in form else []
    if name == "identifiers":
        wanted = type_letters(rest)
        found = [one["value"] for one in form.get(name, []) if type_letters(one["type"]) == wanted]
        form[name] = [one for one in form.get(name, []) if type_letters(one["type"]) != wanted]
        return found
    table = dict(form.get(name, {}))
    taken = [table.pop(rest)] if rest in table else []
    form[name] = table
    return taken


def _put(form: dict[str, Any], path: str, value: Any) -> None:
    name, _, rest = path.partition(".")
    if not rest:
        form[name] = value
    elif name == "identifiers":
        form[name] = [*form.get(name, []), {"type": rest, "value": value}]
    else:
        form[name] = {**form.get(name, {}), rest: value}
