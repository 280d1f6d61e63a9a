"""Preparation: the stored form of a touchpoint, the same for publish, stitch and replay.

Preparation keeps the usable identifiers, normalised, pseudonymised and strongest first. It replaces names by those of
the catalogue, removes placeholder references, and dates the touchpoint no later than its reception.
"""

from typing import Any, Final, cast

from schemas.catalogue import Catalogue
from schemas.errors import ContractError, Reason
from schemas.records import ConsentDecision, Identifier, Touchpoint
from schemas.touchpoint.names import canonical
from streams.identity.policy.policy import IdentityPolicy

#: Of two decisions on one purpose in one touchpoint the stricter counts, as with two touchpoints of one time.
_STRICTNESS: Final = {"GRANTED": 0, "DENIED": 1, "REVOKED": 2}
#: References to things other than people. A placeholder would unite many visits, companies or cases into one.
REFERENCES: Final = ("session_id", "account_id", "issue_id", "order_id", "campaign")


def prepare(
    touchpoint: Touchpoint, policy: IdentityPolicy, catalogue: Catalogue
) -> tuple[Identifier, Touchpoint]:
    """The strongest usable identifier, which owns and keys the touchpoint, and the touchpoint to store.

    By the rules of the touchpoint's tenant. Type, channel and consent purposes get their canonical names, and the
    catalogue's in place of its aliases. A source with a fast clock dates a touchpoint after its reception. Its
    `occurred_at` is then clamped to `received_at`, so that an erasure covers everything received before it. Preparing
    twice changes nothing; `touchpoint` is not mutated. Raises ContractError (NO_IDENTIFIER) if
    every identifier is blank or blocked.
    """
    rules = policy.for_tenant(touchpoint["tenant"])
    usable = rules.usable(touchpoint["identifiers"])
    if not usable:
        types = ", ".join(sorted({identifier["type"] for identifier in touchpoint["identifiers"]}))
        raise ContractError(Reason.NO_IDENTIFIER, f"no identifier is usable: {types or 'none given'}")
    fields = cast("dict[str, Any]", touchpoint)
    changes: dict[str, Any] = {}
    if usable != touchpoint["identifiers"]:
        changes["identifiers"] = usable
    name = catalogue.type_name(touchpoint["type"])
    if name != touchpoint["type"]:
        changes["type"] = name
    channel = catalogue.channel_name(touchpoint["channel"])
    if channel != touchpoint["channel"]:
        changes["channel"] = channel
    if touchpoint["consent"] and (consent := _purposes(touchpoint["consent"])) != touchpoint["consent"]:
        changes["consent"] = consent
    if touchpoint["occurred_at"] > touchpoint["received_at"]:
        changes["occurred_at"] = touchpoint["received_at"]
    for reference in REFERENCES:
        text = fields[reference]
        if text is not None and rules.means_nothing(text):
            changes[reference] = None
    return usable[0], cast(Touchpoint, {**fields, **changes}) if changes else touchpoint


def _purposes(consent: dict[str, ConsentDecision]) -> dict[str, ConsentDecision]:
    decisions: dict[str, ConsentDecision] = {}
    for written, decision in consent.items():
        purpose = canonical(written)
        if _STRICTNESS[decisions.get(purpose, "GRANTED")] <= _STRICTNESS[decision]:
            decisions[purpose] = decision
    return decisions
