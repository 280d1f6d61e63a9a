"""The hash of a journey's or an account's state: equal states have equal hashes on every machine."""

from collections.abc import Callable, Mapping
from hashlib import blake2b
from typing import Any, Final

from schemas.encoding.codec import HEADER_BYTES, double_bytes, encode, long_bytes, string_bytes
from schemas.records import LikelyNext

#: The last fields of a journey state, as they are hashed: predictions depend on the order of arrival.
UNPREDICTED: Final[dict[str, Any]] = {"likely_next": [], "issue_risk": None, "model_version": None}
_UNPREDICTED_BYTES: Final = bytes(len(UNPREDICTED))  #: an empty array and two nulls


def seal(state: Any, schema: str = "JourneyState", complete: Callable[[bytes], bytes] | None = None) -> bytes:
    """Set `state_hash` in `state` and return the encoded state. `complete` inserts parts that are already encoded.

    Hashed (hex BLAKE2b-128) is the Avro datum of the state with version 0, an empty hash and sorted maps, in
    which Avro leaves no freedom. The state's maps must be sorted already, its first fields be the
    tenant, the id, the version and the hash, and a journey's predictions be empty: `predicting` adds them.
    """
    version = state["version"]
    state["version"], state["state_hash"] = 0, ""
    bare = encode(schema, state)
    if complete is not None:
        bare = complete(bare)
    digest = blake2b(memoryview(bare)[HEADER_BYTES:], digest_size=16).hexdigest()
    state["version"], state["state_hash"] = version, digest
    key = "profile_id" if schema == "JourneyState" else "account_id"
    start = HEADER_BYTES + len(string_bytes(state["tenant"])) + len(string_bytes(state[key]))
    # skips two bytes: the version 0 and the length of the empty hash
    return b"".join((bare[:start], long_bytes(version), string_bytes(digest), memoryview(bare)[start + 2 :]))


def predicting(sealed: bytes, likely: list[LikelyNext], risk: float | None, model_version: str) -> bytes:
    """An encoded journey state with predictions in place of its last fields, which must be empty.

    Raises ValueError if they are not. `risk` and probabilities are 0 to 1.
    """
    if not sealed.endswith(_UNPREDICTED_BYTES):
        raise ValueError("the state has predictions already")
    parts = [sealed[: -len(UNPREDICTED)]]
    if likely:
        parts.append(long_bytes(len(likely)))
        for item in likely:
            parts += string_bytes(item["type"]), double_bytes(item["probability"])
    parts.append(long_bytes(0))
    parts += (long_bytes(0),) if risk is None else (long_bytes(1), double_bytes(risk))
    parts += long_bytes(1), string_bytes(model_version)
    return b"".join(parts)


def state_hash(state: Mapping[str, Any], schema: str = "JourneyState") -> str:
    """The hash of a decoded state, recomputed; the order of its maps does not matter. Does not mutate it."""
    copy = {
        name: dict(sorted(value.items())) if isinstance(value, dict) else value
        for name, value in state.items()
    }
    if schema == "JourneyState":
        copy |= UNPREDICTED
    seal(copy, schema)
    return str(copy["state_hash"])
