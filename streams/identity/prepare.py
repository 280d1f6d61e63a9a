"""A touchpoint as it is stored: its usable identifiers only, normalised, pseudonymised, strongest first.

Publish, stitch and replay all prepare, so whatever way a touchpoint comes it is stored alike.
"""

from typing import Final, Literal

from schemas.errors import ContractError, Reason
from schemas.records import Identifier, Touchpoint
from streams.identity.policy import IdentityPolicy

#: What a touchpoint names besides people: blank and blocked values would make one visit, company or case of many.
REFERENCES: Final[tuple[Literal["session_id", "account_id", "issue_id", "campaign"], ...]] = (
    "session_id", "account_id", "issue_id", "campaign",
)  # fmt: skip


def prepare(touchpoint: Touchpoint, policy: IdentityPolicy) -> tuple[Identifier, Touchpoint]:
    """The strongest usable identifier, which owns and keys the touchpoint, and the touchpoint to store.

    By the rules of the touchpoint's tenant. Preparing twice changes nothing. Raises ContractError
    (NO_IDENTIFIER) if every identifier is blank or blocked.
    """
    rules = policy.for_tenant(touchpoint["tenant"])
    usable = rules.usable(touchpoint["identifiers"])
    if not usable:
        types = ", ".join(sorted({identifier["type"] for identifier in touchpoint["identifiers"]}))
        raise ContractError(Reason.NO_IDENTIFIER, f"no identifier is usable: {types or 'none given'}")
    prepared = touchpoint
    if usable != touchpoint["identifiers"]:
        prepared = touchpoint.copy()
        prepared["identifiers"] = usable
    for name in REFERENCES:
        text = touchpoint[name]
        if text is not None and rules.means_nothing(text):
            if prepared is touchpoint:
                prepared = touchpoint.copy()
            prepared[name] = None
    return usable[0], prepared
