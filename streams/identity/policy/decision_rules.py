"""The part of an identity policy that decides links: what must be known of a former policy to know what it decided.

A policy has two halves. One prepares identifiers before they are stored: names, normalisers, pseudonyms, blocked
values. The other decides which stored links unite. The second half is a few numbers, so that state can hold it.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final, Protocol

from streams.identity.policy.policy import IdentityPolicy
from streams.identity.policy.policy_file import TypeRule

_DEFAULT: Final = TypeRule()


class Rules(Protocol):
    """What resolution asks of a policy."""

    @property
    def close_after(self) -> int:
        """Refusals at an identifier until it is closed for a type."""

    @property
    def quarantine_after(self) -> int:
        """Refusals at a profile's identifiers until it is quarantined."""

    @property
    def component_size(self) -> int:
        """Identifiers that links may unite."""

    def rule(self, type_: str) -> TypeRule:
        """The rule of an identifier type."""

    def for_tenant(self, tenant: str) -> "Rules":
        """The rules of one tenant."""


@dataclass(frozen=True)
class DecisionRules:
    """The rules by which one tenant's links are decided. Equal if they decide alike."""

    #: type → (priority, unique, limit), for types that differ from the default
    types: tuple[tuple[str, int, bool, int | None], ...]
    close_after: int
    quarantine_after: int
    component_size: int

    @classmethod
    def of(cls, policy: IdentityPolicy, tenant: str) -> "DecisionRules":
        """The rules of a tenant under a policy."""
        own = policy.for_tenant(tenant)
        types = (
            (name, rule.priority, rule.unique, rule.limit)
            for name, rule in sorted(own.rules.items())
            if (rule.priority, rule.unique, rule.limit)
            != (_DEFAULT.priority, _DEFAULT.unique, _DEFAULT.limit)
        )
        return cls(tuple(types), own.close_after, own.quarantine_after, own.component_size)

    @classmethod
    def read(cls, document: Mapping[str, Any]) -> "DecisionRules":
        """The rules that `document` wrote."""
        types = tuple(
            (one["type"], one["priority"], one["unique"], one["limit"]) for one in document["types"]
        )
        return cls(types, document["close_after"], document["quarantine_after"], document["component_size"])

    def document(self) -> dict[str, Any]:
        """The rules as a DecidedUnder has them."""
        names = ("type", "priority", "unique", "limit")
        return {
            "types": [dict(zip(names, one, strict=True)) for one in self.types],
            "close_after": self.close_after,
            "quarantine_after": self.quarantine_after,
            "component_size": self.component_size,
        }

    @property
    def fingerprint(self) -> str:
        """A name of these rules: equal rules have equal names."""
        return _fingerprint(self.document())

    def rule(self, type_: str) -> TypeRule:
        """The rule of an identifier type. Only what decides is known: priority, `unique` and `limit`."""
        for name, priority, unique, limit in self.types:
            if name == type_:
                return TypeRule(priority=priority, unique=unique, limit=limit)
        return _DEFAULT

    def for_tenant(self, tenant: str) -> "DecisionRules":  # noqa: ARG002
        """These rules: they are one tenant's."""
        return self


def preparation_of(policy: IdentityPolicy, tenant: str) -> dict[str, str]:
    """Setting → fingerprint of its value, for the settings that change how identifiers are prepared and stored.

    The key is none of them: `pseudonym-keys` compares it.
    """
    own = policy.for_tenant(tenant)
    rules = sorted(own.rules.items())
    settings: dict[str, Any] = {
        "priority": [(name, rule.priority) for name, rule in rules],
        "normaliser": [(name, rule.normaliser) for name, rule in rules],
        "pseudonymise": [(name, rule.pseudonymise) for name, rule in rules],
        "aliases": sorted(own.aliases.items()),
        "blocked": own.blocked_values(),
        "phone": own.region,
    }
    return {name: _fingerprint(value) for name, value in settings.items()}


def _fingerprint(value: Any) -> str:
    return sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]
