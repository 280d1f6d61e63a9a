"""The fingerprint of a journey's or an account's state: equal states, equal hashes, on every machine."""

from collections.abc import Mapping
from hashlib import blake2b
from typing import Any

from schemas.codec import HEADER_BYTES, encode, long_bytes, string_bytes


def seal(state: Any, schema: str = "JourneyState") -> bytes:
    """Set a state's `state_hash` and return the state encoded.

    Hashed (hex BLAKE2b-128) is the Avro datum of the state with version 0, an empty hash and sorted maps, in
    which Avro leaves no freedom. The state's maps must be sorted already, and its first fields be the
    tenant, the id, the version and the hash.
    """
    version = state["version"]
    state["version"], state["state_hash"] = 0, ""
    bare = encode(schema, state)
    digest = blake2b(memoryview(bare)[HEADER_BYTES:], digest_size=16).hexdigest()
    state["version"], state["state_hash"] = version, digest
    key = "profile_id" if schema == "JourneyState" else "account_id"
    start = HEADER_BYTES + len(string_bytes(state["tenant"])) + len(string_bytes(state[key]))
    # in between stood one byte each for the version 0 and the length of an empty text
    return b"".join((bare[:start], long_bytes(version), string_bytes(digest), memoryview(bare)[start + 2 :]))


def state_hash(state: Mapping[str, Any], schema: str = "JourneyState") -> str:
    """The hash that a state ought to have, whatever the order of its maps."""
    copy = {
        name: dict(sorted(value.items())) if isinstance(value, dict) else value
        for name, value in state.items()
    }
    seal(copy, schema)
    return str(copy["state_hash"])
