"""A touchpoint as it is stored: its usable identifiers only, normalised, pseudonymised, strongest first."""

from schemas.errors import ContractError, Reason
from schemas.records import Identifier, Touchpoint
from streams.identity.policy import IdentityPolicy


def prepare(touchpoint: Touchpoint, policy: IdentityPolicy) -> tuple[Identifier, Touchpoint]:
    """The strongest usable identifier, which owns and keys the touchpoint, and the touchpoint to store.

    By the rules of the touchpoint's tenant. One that says it occurred after it was received has a fast clock: it is
    dated by its reception, so that whatever was received before an erasure is erased by it. Preparing twice changes
    nothing. Raises ContractError (NO_IDENTIFIER) if every identifier is blocked.
    """
    usable = policy.for_tenant(touchpoint["tenant"]).usable(touchpoint["identifiers"])
    if not usable:
        types = ", ".join(sorted({identifier["type"] for identifier in touchpoint["identifiers"]}))
        raise ContractError(Reason.NO_IDENTIFIER, f"no identifier is usable: {types or 'none given'}")
    received_at = touchpoint["received_at"]
    if usable == touchpoint["identifiers"] and touchpoint["occurred_at"] <= received_at:
        return usable[0], touchpoint
    prepared = touchpoint.copy()
    prepared["identifiers"] = usable
    prepared["occurred_at"] = min(touchpoint["occurred_at"], received_at)
    return usable[0], prepared
