"""The Kafka record of a touchpoint that was collected: the one place where its JSON form becomes bytes."""

from typing import Any

from schemas.catalogue import Catalogue
from schemas.encoding.record_types import TOUCHPOINT
from schemas.keys import identifier_key
from schemas.touchpoint.intake import accept
from streams.identity.policy.policy import IdentityPolicy
from streams.identity.policy.prepare import prepare


def record(
    touchpoint: dict[str, Any], policy: IdentityPolicy, catalogue: Catalogue, received_at: int
) -> tuple[bytes, bytes]:
    """Key and value, personal identifiers pseudonymised, names those of the catalogue: what `touchline publish`
    makes of the same JSON.

    `received_at` is the time of receipt in UTC ms; a later one in the touchpoint is capped to it.
    Raises ContractError if the touchpoint breaks the contract.
    """
    strongest, prepared = prepare(accept(touchpoint, received_at), policy, catalogue)
    return identifier_key(prepared["tenant"], strongest), TOUCHPOINT.encode(prepared)
