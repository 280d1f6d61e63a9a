"""What identity has stored and published, read from Kafka as far as it is written now.

The evidence is restored as a worker restores it, into identities that decide by the policy to be applied. It takes
memory as a worker's identity agent does, and as much again for what is published.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

from deploy.repair.dead_letters.reading import records
from deploy.repair.policy.plan import Question, StoredLink, questions
from schemas.encoding.record_types import IDENTITY_ASSIGNMENT, IDENTITY_LINK
from schemas.errors import ContractError, TouchlineError
from schemas.headers import ASSIGNMENT
from schemas.settings import Settings
from schemas.topics import IDENTITY_ASSIGNMENTS, IDENTITY_CHANGELOG
from streams.identity.policy.decided_under import KEY, DecidedUnder
from streams.identity.policy.decision_rules import preparation_of
from streams.identity.policy.policy import IdentityPolicy
from streams.identity.resolution.evidence import Node
from streams.identity.resolution.ownership import node_of
from streams.identity.resolution.profile_id import Assignment
from streams.identity.state import IdentityState


@dataclass
class Reading:
    """Stored evidence of each partition, and the assignments that subscribers know."""

    states: dict[int, IdentityState] = field(default_factory=dict)
    #: tenant → changelog key → link
    links: dict[str, dict[bytes, StoredLink]] = field(default_factory=lambda: defaultdict(dict))
    published: dict[str, dict[Node, Assignment]] = field(default_factory=lambda: defaultdict(dict))
    #: tenant → the offset of the changelog record that says under which rules it was decided
    said_at: dict[str, int] = field(default_factory=dict)

    @property
    def tenants(self) -> list[str]:
        """The tenants with evidence, sorted."""
        return sorted(tenant for tenant, links in self.links.items() if links)

    def decided_under(self, tenant: str) -> DecidedUnder | None:
        """Under which rules a tenant's links were decided; None if a former release left it unsaid."""
        found = (state.decided_under().get(tenant) for state in self.states.values())
        return next((one for one in found if one is not None), None)

    def questions(self, tenant: str) -> Iterator[Question]:
        """The components of a tenant that are decided otherwise than published."""
        for state in self.states.values():
            identities = state.tenants().get(tenant)
            if identities is not None:
                identities.identities.decided_under(())
                yield from questions(
                    tenant, identities, self.links[tenant].values(), self.published.get(tenant, {})
                )
                return


def read(settings: Settings, policy: IdentityPolicy) -> Reading:
    """Read both topics to their present ends. Raises UnavailableError, SettingsError without the topics."""
    reading = Reading()
    of_key: dict[bytes, str] = {}
    for record in records(settings, settings.topic(IDENTITY_CHANGELOG.name)):
        state = reading.states.setdefault(record.partition, IdentityState(policy))
        try:
            state.restore(record.key, record.value)
            if record.key.startswith(b"~"):
                if record.value is None:
                    reading.links[of_key.get(record.key, "")].pop(record.key, None)
                else:
                    link = IDENTITY_LINK.decode(record.value)
                    tenant = of_key.setdefault(record.key, link["tenant"])
                    known = reading.links[tenant].get(record.key)
                    if known is None or link["occurred_at"] < known[0]["occurred_at"]:
                        reading.links[tenant][record.key] = link, record.value
            elif record.key.startswith(KEY):
                reading.said_at[record.key.removeprefix(KEY).decode()] = record.offset
        except (ContractError, ValueError, KeyError, TypeError) as error:
            raise TouchlineError(
                f"the changelog record at {record.topic}, partition {record.partition}, offset {record.offset} is"
                f" unusable ({error}): a worker would not start with it either"
            ) from error
    for state in reading.states.values():
        state.restored()
    _read_published(settings, reading)
    return reading


def prepared_otherwise(reading: Reading, policy: IdentityPolicy) -> list[str]:
    """The settings of preparation that differ from those under which the past of any tenant is stored, sorted.

    A tenant of a former release, whose changelog says nothing of it, counts as prepared alike.
    """
    found: set[str] = set()
    for tenant in reading.tenants:
        said = reading.decided_under(tenant)
        now = preparation_of(policy, tenant)
        found |= {
            name for name, before in (said.prepared if said is not None else ()) if now.get(name) != before
        }
    return sorted(found)


def _read_published(settings: Settings, reading: Reading) -> None:
    versions: dict[tuple[str, Node], int] = {}
    for record in records(settings, settings.topic(IDENTITY_ASSIGNMENTS.name)):
        value = record.value
        if value is None:
            value = next((value for name, value in record.headers if name == ASSIGNMENT), None)
        try:
            one = None if value is None else IDENTITY_ASSIGNMENT.decode(value)
        except ContractError:
            continue  # stitch makes a dead letter of it
        if one is None:
            continue
        node = node_of(one["identifier"])
        if versions.get((one["tenant"], node), -1) <= one["version"]:
            versions[one["tenant"], node] = one["version"]
            reading.published[one["tenant"]][node] = Assignment(
                one["profile_id"], one["contested_from"], one["contested_profile_id"]
            )
