"""Everything that ClickHouse holds about a person, as one JSON text."""

import json
from datetime import UTC, datetime
from typing import Any

from deploy.ingest.corrections import identifiers, require_seen
from deploy.screens.journey.lookup import PROFILE
from schemas.errors import UnseenError
from sinks.clickhouse.read.subject import Subject
from streams.identity.policy.policy import IdentityPolicy
from streams.identity.resolution.definition import own_profile
from streams.identity.resolution.ownership import node_of


def document(
    subject: Subject, policy: IdentityPolicy, tenant: str, who: str, now: datetime
) -> dict[str, Any]:
    """All that is stored about the person behind `who`, a TYPE:VALUE or profile:ID; `now` is the time of the export.

    Raises UnseenError if nothing is known of it, SettingsError for what is no identifier.
    """
    profile, nodes = _person(subject, policy, tenant, who)
    found = subject.everything(profile, sorted(nodes))
    journey = found.pop("journey")
    return {
        "asked": who,
        "tenant": tenant,
        "profile_id": profile,
        "exported_at": now,
        "known_as": [{"type": kind, "value": value} for kind, value in sorted(nodes)],
        "consent": journey[0]["consent"] if journey else {},
        "journey": journey[0] if journey else None,
        **found,
    }


def text_of(exported: dict[str, Any]) -> str:
    """An exported document as indented JSON: times are ISO 8601, and what JSON lacks is text."""
    return json.dumps(exported, ensure_ascii=False, indent=2, default=_plain) + "\n"


def _person(
    subject: Subject, policy: IdentityPolicy, tenant: str, who: str
) -> tuple[str, set[tuple[str, str]]]:
    """The profile, and its identifiers as they are stored."""
    kind, _, value = who.partition(":")
    if kind == PROFILE:
        present = subject.present_profile(value)
        if present is None:
            raise UnseenError(f"no person has the profile {value} in tenant {tenant!r}")
        return present, {(one.type, one.value) for one in subject.held_by(present)}
    asked = identifiers(who, tenant, policy)
    require_seen(subject, who, tenant, asked)
    nodes = [node_of(one) for one in asked]
    profile = next(filter(None, map(subject.owner, nodes)), None) or own_profile(tenant, nodes[0])
    return profile, {*nodes, *((one.type, one.value) for one in subject.held_by(profile))}


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        aware = value.replace(tzinfo=value.tzinfo or UTC)
        return aware.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return str(value)
