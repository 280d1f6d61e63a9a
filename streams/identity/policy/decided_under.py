"""Which rules a tenant's published decisions may come from, as identity's changelog keeps it.

A worker that starts with another policy finds links that the former one decided. Until all of them have been decided
again (`touchline policy apply`), both policies' rules stand here, the newest last.
"""

from dataclasses import dataclass

from schemas.encoding.record_types import DECIDED_UNDER
from schemas.errors import ContractError, Reason
from streams.identity.policy.decision_rules import DecisionRules, preparation_of
from streams.identity.policy.policy import IdentityPolicy

#: How keys of these changelog records begin; no tenant's name follows another kind's.
KEY = b"#"


@dataclass(frozen=True)
class DecidedUnder:
    """The rules that published decisions of one tenant may come from, and how its identifiers were prepared."""

    rules: tuple[DecisionRules, ...]  #: the ones in force are last
    #: setting → fingerprint, under which the tenant's past is stored; empty if a former release did not say
    prepared: tuple[tuple[str, str], ...]

    @classmethod
    def first(cls, policy: IdentityPolicy, tenant: str) -> "DecidedUnder":
        """Nothing is decided yet, or everything was decided under this policy."""
        prepared = tuple(sorted(preparation_of(policy, tenant).items()))
        return cls((DecisionRules.of(policy, tenant),), prepared)

    @classmethod
    def read(cls, value: bytes) -> "DecidedUnder":
        """The value of a changelog record. Raises ContractError if it is damaged."""
        found = DECIDED_UNDER.decode(value)
        if not found["rules"]:
            raise ContractError(Reason.INVALID, "it names no rules")
        rules = tuple(DecisionRules.read(one) for one in found["rules"])
        return cls(rules, tuple(sorted(found["prepared"].items())))

    def encode(self) -> bytes:
        """The value of the changelog record."""
        rules = [one.document() for one in self.rules]
        return DECIDED_UNDER.encode({"rules": rules, "prepared": dict(self.prepared)})

    @property
    def current(self) -> DecisionRules:
        """The rules in force."""
        return self.rules[-1]

    @property
    def former(self) -> tuple[DecisionRules, ...]:
        """The rules that some published decisions may still come from."""
        return self.rules[:-1]

    def under(self, rules: DecisionRules) -> "DecidedUnder":
        """The same once these rules are in force."""
        return DecidedUnder((*(one for one in self.rules if one != rules), rules), self.prepared)


def key_of(tenant: str) -> bytes:
    """The changelog key of a tenant's record."""
    return KEY + tenant.encode()
