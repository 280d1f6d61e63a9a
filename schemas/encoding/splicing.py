"""Encoded records taken apart and put together without decoding them.

A record is the concatenation of its fields, so bytes of one record may be copied into another. All places follow from
the schemas: offsets are found by skipping the fields that come before, and values that stand for nothing are written
by the fields' types. The import fails if a schema orders its fields in another way than the functions below need.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from functools import lru_cache
from typing import Any, Final

from schemas.encoding.codec import HEADER_BYTES, header, long_bytes, skip_string, string_bytes, take_long
from schemas.encoding.datum import writer
from schemas.encoding.registry import current
from schemas.records import Identifier, LikelyNext

#: The offset in a value at which a field begins. Raises IndexError for a value that ends before.
Offset = Callable[[bytes], int]
_Field = tuple[str, Any]  #: name, type


def _fields(name: str) -> Iterator[_Field]:
    """The fields of a record; those of records inside stand in their places, as they do in the encoding."""
    return _flat(current()[name])


def _flat(record: Any) -> Iterator[_Field]:
    for field in record["fields"]:
        type_ = field["type"]
        if isinstance(type_, dict) and type_["type"] == "record":
            yield from _flat(type_)
        else:
            yield field["name"], type_


def _physical(type_: Any) -> str:
    """The name of a type: `long` of a time, `array` of an array, `union` of a union."""
    if isinstance(type_, list):
        return "union"
    return str(type_["type"]) if isinstance(type_, dict) else str(type_)


def _require(what: str, found: Sequence[_Field], needed: Sequence[tuple[str, str]]) -> None:
    described = [(name, _physical(type_)) for name, type_ in found]
    if described != list(needed):
        raise ImportError(
            f"{what} the fields {_said(described)}, but schemas/encoding/splicing.py splices {_said(needed)}:"
            " change the schema back, or the splicing with it"
        )


def _said(fields: Sequence[tuple[str, str]]) -> str:
    return ", ".join(f"{name} ({type_})" for name, type_ in fields)


def require_first(name: str, *needed: tuple[str, str]) -> None:
    """Raise ImportError unless a record begins with these fields (name and type), in this order."""
    _require(f"{name} begins with", list(_fields(name))[: len(needed)], needed)


def require_last(name: str, *needed: tuple[str, str]) -> None:
    """Raise ImportError unless a record ends with these fields (name and type), in this order."""
    _require(f"{name} ends with", list(_fields(name))[-len(needed) :], needed)


def offset_of(name: str, wanted: str) -> Offset:
    """Finds the field `wanted` in encoded records of schema `name`.

    Raises ImportError if the record has no such field, or if a field before it is neither a string nor a number.
    """
    skips: list[Callable[[bytes, int], int]] = []
    for field, type_ in _fields(name):
        if field == wanted:
            return _skipping(tuple(skips))
        skip = _SKIPS.get(_physical(type_))
        if skip is None:
            raise ImportError(
                f"{name}.{field} stands before {wanted} and is no string or long: nothing skips it"
            )
        skips.append(skip)
    raise ImportError(f"{name} has no field {wanted}")


def _skip_long(data: bytes, at: int) -> int:
    while data[at] > 0x7F:
        at += 1
    return at + 1


_SKIPS: Final = {"string": skip_string, "long": _skip_long, "int": _skip_long}


def _skipping(skips: tuple[Callable[[bytes, int], int], ...]) -> Offset:
    def find(data: bytes) -> int:
        at = HEADER_BYTES
        for skip in skips:
            at = skip(data, at)
        return at

    return find


def _nothing(name: str, count: int) -> bytes:
    """The last `count` fields of a record without a value: an empty array, or the null of a union with null."""
    found = list(_fields(name))[-count:]
    for field, type_ in found:
        if _physical(type_) != "array" and (_physical(type_) != "union" or type_[0] != "null"):
            raise ImportError(f"{name}.{field} is neither an array nor a union that begins with null")
    return bytes(len(found))  # Avro writes both as one zero byte


# -- ResolvedTouchpoint: an identifier, a profile, a version, and the touchpoint -------------------------------------

_RESOLVED: Final = header("ResolvedTouchpoint")
require_first(
    "ResolvedTouchpoint", ("type", "string"), ("value", "string"), ("profile_id", "string"), ("version", "long"),
    ("tenant", "string"), ("event_id", "string"), ("occurred_at", "long"), ("received_at", "long"),
    ("source", "string"),
)  # fmt: skip
#: Where the touchpoint begins in a ResolvedTouchpoint: it begins with its tenant.
touchpoint_in: Final = offset_of("ResolvedTouchpoint", next(_fields("Touchpoint"))[0])


def encode_resolved(identifier: Identifier, profile_id: str, version: int, touchpoint: bytes) -> bytes:
    """Encode a ResolvedTouchpoint around an already encoded current Touchpoint, copied untouched."""
    return b"".join(
        (
            _RESOLVED,
            string_bytes(identifier["type"]),
            string_bytes(identifier["value"]),
            string_bytes(profile_id),
            long_bytes(version),
            memoryview(touchpoint)[HEADER_BYTES:],
        )
    )


def resolved_beginning(node: tuple[str, str], profile_id: str, version: int, tenant: str) -> bytes:
    """How the ResolvedTouchpoints begin that an identifier owns in a profile: up to the tenant, which is included."""
    owner = Identifier(type=node[0], value=node[1])
    return encode_resolved(owner, profile_id, version, bytes(HEADER_BYTES) + string_bytes(tenant))


def event_in(rest: bytes) -> tuple[str, int, str]:
    """Event id, time (UTC ms) and source of a touchpoint, by its bytes after the tenant. Raises IndexError."""
    length, at = take_long(rest, 0)
    event_id = rest[at : at + length].decode()
    occurred_at, at = take_long(rest, at + length)
    length, at = take_long(rest, _skip_long(rest, at))
    return event_id, occurred_at, rest[at : at + length].decode()


# -- Move: a profile, and the assignment ------------------------------------------------------------------------------

_MOVE: Final = header("Move")
_assignment: Final = [(name, _physical(type_)) for name, type_ in _fields("IdentityAssignment")]
_require("Move has", list(_fields("Move")), [("profile_id", "string"), *_assignment])


def encode_move(profile_id: str, assignment: bytes) -> bytes:
    """Encode a Move around an already encoded current IdentityAssignment, copied untouched."""
    return b"".join((_MOVE, string_bytes(profile_id), memoryview(assignment)[HEADER_BYTES:]))


# -- JourneyState and AccountState: who, the version and the hash first; what is spliced in last ---------------------

for _name, _key in (("JourneyState", "profile_id"), ("AccountState", "account_id")):
    require_first(
        _name, ("tenant", "string"), (_key, "string"), ("version", "long"), ("state_hash", "string")
    )
#: Schema of a state → where its version begins.
VERSION_IN: Final = {name: offset_of(name, "version") for name in ("JourneyState", "AccountState")}
_UNSEALED: Final = long_bytes(0) + string_bytes("")  #: the version 0 and an empty hash


def put_version_and_hash(name: str, bare: bytes, version: int, state_hash: str) -> bytes:
    """An encoded state of version 0 with an empty hash, with another version and hash."""
    start = VERSION_IN[name](bare)
    return b"".join(
        (
            bare[:start],
            long_bytes(version),
            string_bytes(state_hash),
            memoryview(bare)[start + len(_UNSEALED) :],
        )
    )


require_last(
    "JourneyState",
    ("recent", "array"),
    ("likely_next", "array"),
    ("issue_risk", "union"),
    ("model_version", "union"),
)
_PREDICTED: Final = 3  #: the last fields are predictions
_UNPREDICTED: Final = _nothing("JourneyState", _PREDICTED)
_WITHOUT_RECENT: Final = _nothing("JourneyState", 1 + _PREDICTED)
_predictions: Final = writer(
    {"type": "record", "name": "Predictions", "fields": current()["JourneyState"]["fields"][-_PREDICTED:]}
)
_RECENT: Final = current()["JourneyState"]["fields"][-1 - _PREDICTED]["type"]["items"]
_require(
    "JourneyState.recent has", list(_flat(_RECENT)),
    (("event_id", "string"), ("occurred_at", "long"), ("channel", "string"), ("type", "string")),
)  # fmt: skip


def recent_item(event_id: str, occurred_at: int, channel: str, type_: str) -> bytes:
    """An item of JourneyState's `recent`; the time is in UTC ms."""
    return string_bytes(event_id) + long_bytes(occurred_at) + _channel_and_type(channel, type_)


@lru_cache(maxsize=4096)
def _channel_and_type(channel: str, type_: str) -> bytes:
    """Cached: nearly all touchpoints have one of few pairs."""
    return string_bytes(channel) + string_bytes(type_)


def put_recent(state: bytes, items: Collection[bytes]) -> bytes:
    """An encoded JourneyState with empty `recent` and predictions, with these items in `recent`."""
    if not items:
        return state
    return b"".join(
        (memoryview(state)[: -len(_WITHOUT_RECENT)], long_bytes(len(items)), *items, _WITHOUT_RECENT)
    )


def encode_predictions(likely: list[LikelyNext], risk: float | None, model_version: str) -> bytes:
    """The last fields of a JourneyState, for `put_predictions`. `risk` and probabilities are 0 to 1."""
    return _predictions({"likely_next": likely, "issue_risk": risk, "model_version": model_version})


def put_predictions(state: bytes, predictions: bytes) -> bytes:
    """An encoded JourneyState with encoded predictions in place of its last fields.

    Raises ValueError if it has predictions already.
    """
    if not state.endswith(_UNPREDICTED):
        raise ValueError("the state has predictions already")
    return state[: -len(_UNPREDICTED)] + predictions
