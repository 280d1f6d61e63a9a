"""The Kafka record of a touchpoint that was collected: the one place where its JSON form becomes bytes."""

from typing import Any

from schemas.codec import MAX_BYTES, encode
from schemas.errors import ContractError, Reason
from schemas.jsonform import from_json
from schemas.keys import identifier_key
from schemas.touchpoints import check
from streams.identity.policy import IdentityPolicy
from streams.identity.prepare import prepare


def record(touchpoint: dict[str, Any], policy: IdentityPolicy, received_at: int) -> tuple[bytes, bytes]:
    """Key and value, personal identifiers pseudonymised: what `touchline publish` makes of the same JSON.

    Raises ContractError if the touchpoint breaks the contract.
    """
    read = from_json(touchpoint, received_at)
    check(read)
    strongest, prepared = prepare(read, policy)
    value = encode("Touchpoint", prepared)
    if len(value) > MAX_BYTES:
        raise ContractError(Reason.TOO_LARGE, f"the record has {len(value)} bytes, the limit is {MAX_BYTES}")
    return identifier_key(prepared["tenant"], strongest), value
