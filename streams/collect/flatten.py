"""Properties of a message as attributes: texts within the contract's limits, so that no event is lost over one."""

import json
from collections.abc import Collection, Mapping
from typing import Any, Final

from schemas.touchpoint.rules import MAX_ATTRIBUTES, MAX_ID_BYTES, MAX_VALUE_BYTES

#: Attribute that names what was left out because it is too large or too much.
LEFT_OUT: Final = "left_out"
_NAMED: Final = 20  #: names that it holds at most


def add_members(attributes: dict[str, str], members: Mapping[str, Any], leave_out: Collection[str]) -> None:
    """Add each member that is not there yet and not to be left out; objects and lists as compact JSON."""
    lost = []
    for name, value in members.items():
        if name in leave_out or name in attributes or name == LEFT_OUT:
            continue
        if not add_attribute(attributes, name, value):
            lost.append(name)
    if lost:
        attributes[LEFT_OUT] = ", ".join(_cut(name) for name in lost[:_NAMED])


def add_attribute(attributes: dict[str, str], name: str, value: Any) -> bool:
    """Add one attribute if its value is not empty; False if it is beyond a limit, and so left out."""
    text = _text(value)
    if text == "":
        return True
    full = len(attributes) >= MAX_ATTRIBUTES - 1  # LEFT_OUT has its place too
    if full or not name or _beyond(name, MAX_ID_BYTES) or _beyond(text, MAX_VALUE_BYTES):
        return False
    attributes[name] = text
    return True


def _text(value: Any) -> str:
    if isinstance(value, str):
        if value.startswith(("https://", "http://")):  # what follows may hold personal data and secrets
            return value.partition("?")[0].partition("#")[0]
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (dict, list)):
        return json.dumps(value, ensure_ascii=False, separators=(",", ":")) if value else ""
    return str(value)


def _beyond(text: str, limit: int) -> bool:
    # a character takes up to four bytes: most texts need not be encoded
    return 4 * len(text) > limit and len(text.encode("utf-8", "surrogatepass")) > limit


def _cut(name: str) -> str:
    return name if len(name) <= 100 else name[:100] + "…"
