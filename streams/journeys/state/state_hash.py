"""The hash of a journey's or an account's state: equal states have equal hashes on every machine."""

from collections.abc import Callable, Mapping
from hashlib import blake2b
from typing import Any, Final

from schemas.encoding.codec import HEADER_BYTES, encode
from schemas.encoding.splicing import put_version_and_hash

#: The last fields of a journey state, as they are hashed: predictions depend on the order of arrival.
UNPREDICTED: Final[dict[str, Any]] = {"likely_next": [], "issue_risk": None, "model_version": None}


def seal(state: Any, schema: str = "JourneyState", complete: Callable[[bytes], bytes] | None = None) -> bytes:
    """Set `state_hash` in `state` and return the encoded state. `complete` inserts parts that are already encoded.

    Hashed (hex BLAKE2b-128) is the Avro datum of the state with version 0, an empty hash and sorted maps, in
    which Avro leaves no freedom. The state's maps must be sorted already, and a journey's predictions be empty:
    `put_predictions` adds them.
    """
    version = state["version"]
    state["version"], state["state_hash"] = 0, ""
    bare = encode(schema, state)
    if complete is not None:
        bare = complete(bare)
    digest = blake2b(memoryview(bare)[HEADER_BYTES:], digest_size=16).hexdigest()
    state["version"], state["state_hash"] = version, digest
    return put_version_and_hash(schema, bare, version, digest)


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
