"""A touchpoint as it is stored.

Its usable identifiers only, normalised, pseudonymised, strongest first; its names in the catalogue's spelling.
"""

from typing import Final

from schemas.catalogue import Catalogue
from schemas.errors import ContractError, Reason
from schemas.names import canonical
from schemas.records import ConsentDecision, Identifier, Touchpoint
from streams.identity.policy import IdentityPolicy

#: Of two decisions on one purpose in one touchpoint the stricter stays, as with two touchpoints of one time.
_STRICTNESS: Final = {"GRANTED": 0, "DENIED": 1, "REVOKED": 2}


def prepare(
    touchpoint: Touchpoint, policy: IdentityPolicy, catalogue: Catalogue
) -> tuple[Identifier, Touchpoint]:
    """The strongest usable identifier, which owns and keys the touchpoint, and the touchpoint to store.

    By the rules of the touchpoint's tenant. Type, channel and consent purposes get their canonical names, and the
    catalogue's in place of its aliases. Preparing twice changes nothing. Raises ContractError (NO_IDENTIFIER) if
    every identifier is blocked.
    """
    usable = policy.for_tenant(touchpoint["tenant"]).usable(touchpoint["identifiers"])
    if not usable:
        types = ", ".join(sorted({identifier["type"] for identifier in touchpoint["identifiers"]}))
        raise ContractError(Reason.NO_IDENTIFIER, f"no identifier is usable: {types or 'none given'}")
    name = catalogue.type_name(touchpoint["type"])
    channel = catalogue.channel_name(touchpoint["channel"])
    consent = touchpoint["consent"] and _purposes(touchpoint["consent"])
    if (
        usable == touchpoint["identifiers"]
        and name == touchpoint["type"]
        and channel == touchpoint["channel"]
        and consent == touchpoint["consent"]
    ):
        return usable[0], touchpoint
    prepared = touchpoint.copy()
    prepared["identifiers"] = usable
    prepared["type"], prepared["channel"], prepared["consent"] = name, channel, consent
    return usable[0], prepared


def _purposes(consent: dict[str, ConsentDecision]) -> dict[str, ConsentDecision]:
    decisions: dict[str, ConsentDecision] = {}
    for written, decision in consent.items():
        purpose = canonical(written)
        if _STRICTNESS[decisions.get(purpose, "GRANTED")] <= _STRICTNESS[decision]:
            decisions[purpose] = decision
    return decisions
