"""The identity evidence in files of touchpoints, as identity would get it from stitch."""

from collections.abc import Iterable
from dataclasses import dataclass

from deploy.ingest.mapping.file import load_mapping
from deploy.ingest.touchpoint_files import read_touchpoints
from schemas.catalogue import Catalogue
from schemas.errors import ContractError
from schemas.records import IdentityCorrection, IdentityLink
from schemas.touchpoint.erasure_names import ERASURE_REQUESTED
from schemas.touchpoint.rules import check
from streams.identity.policy.policy import IdentityPolicy
from streams.identity.policy.prepare import prepare
from streams.identity.resolution.corrections import Corrections
from streams.identity.resolution.evidence import Node
from streams.identity.resolution.links import links_of
from streams.identity.resolution.ownership import node_of
from streams.stitch.stitching import erasures_of


@dataclass(frozen=True)
class Evidence:
    """What files say about one tenant's identifiers."""

    links: list[IdentityLink]
    corrections: list[IdentityCorrection]
    seen: set[Node]  #: identifiers that a touchpoint carries
    rejected: int  #: lines that `publish` would reject


def evidence_of_files(
    files: list[str], mapping: str | None, policy: IdentityPolicy, catalogue: Catalogue, tenant: str
) -> Evidence:
    """The evidence of a tenant in files of touchpoints. Raises SettingsError for a wrong mapping."""
    links: list[IdentityLink] = []
    corrections: list[IdentityCorrection] = []
    seen: set[Node] = set()
    rejected = 0
    for sourced in read_touchpoints(files, load_mapping(mapping) if mapping else None):
        touchpoint = sourced.touchpoint
        if touchpoint is None:
            rejected += 1
        elif touchpoint["tenant"] == tenant:
            try:
                check(touchpoint)
                _, prepared = prepare(touchpoint, policy, catalogue)
            except ContractError:
                rejected += 1
                continue
            if prepared["type"] == ERASURE_REQUESTED:
                corrections += erasures_of(prepared)
            else:
                seen |= {node_of(one) for one in prepared["identifiers"]}
                links += links_of(prepared, prepared["identifiers"])
    return Evidence(links, corrections, seen, rejected)


def corrections_of(records: Iterable[IdentityCorrection]) -> Corrections:
    """The corrections that records ask for."""
    corrections = Corrections()
    for record in records:
        if record["right"] is None:
            corrections.erase(node_of(record["left"]), record["occurred_at"])
        else:
            corrections.unlink((node_of(record["left"]), node_of(record["right"])), record["occurred_at"])
    return corrections
