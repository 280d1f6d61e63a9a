"""The fingerprint of a journey state: equal states, equal hashes, on every machine."""

from hashlib import blake2b
from json import JSONEncoder
from typing import Final

from schemas.records import JourneyState

_CANONICAL: Final = JSONEncoder(sort_keys=True, separators=(",", ":"), check_circular=False, allow_nan=False)


def state_hash(state: JourneyState) -> str:
    """Hex BLAKE2b-128 of the state without `version` and `state_hash`.

    Hashed is its JSON in ASCII with sorted keys and no spaces; Python's float repr is the shortest that reads
    back as the same double.
    """
    content = {name: value for name, value in state.items() if name not in ("version", "state_hash")}
    return blake2b(_CANONICAL.encode(content).encode("ascii"), digest_size=16).hexdigest()
