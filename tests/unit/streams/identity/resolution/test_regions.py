"""Regions: whatever one decision may change is one region, also while the decision is half done."""

from unittest import mock

from streams.identity.resolution import resumable
from streams.identity.resolution.clusters import Clusters
from streams.identity.resolution.components import TenantIdentities
from streams.identity.resolution.deciding import ComponentResolver
from streams.identity.resolution.evidence import evidence_of
from tests.support.identity_people import TENANT, link, node, observed, policy

A, B, X, M, E = (node(n) for n in ("customer_id:A", "customer_id:B", "cookie:x", "device:m", "email:e"))


def is_one(identities, *nodes) -> bool:
    return len({identities.region((one,)).root for one in nodes}) == 1


def test_identifiers_without_a_link_in_common_are_different_regions():
    identities = observed([link("customer_id:A", "cookie:x", 1), link("customer_id:B", "email:e", 1)])
    assert is_one(identities, A, X)
    assert is_one(identities, B, E)
    assert not is_one(identities, A, B)
    assert not is_one(identities, A, M)


def test_regions_that_a_link_connects_are_one_from_then_on():
    identities = observed([link("customer_id:A", "cookie:x", 1), link("customer_id:B", "email:e", 1)])
    regions = identities.region((A,)), identities.region((B,))
    identities.observe(*link("customer_id:A", "email:e", 2))
    assert regions[0].root is regions[1].root
    assert is_one(identities, A, B, X, E)


def test_both_sides_of_a_suspended_link_are_one_region_since_its_gate_may_open():
    history = [
        link("customer_id:A", "cookie:x", 1),
        link("customer_id:B", "cookie:x", 2),
        link("cookie:x", "device:m", 3),
    ]
    identities = observed(history)
    assert "contested" in identities.refused().values()
    identities.observe(*link("device:m", "email:e", 5))
    assert is_one(identities, A, B, X, M, E)
    # the gate opens, and the decision reaches what only the suspended link connects
    decision = identities.observe(*link("customer_id:A", "customer_id:B", 0, asserted=True))
    assert decision is not None
    assert {M, E} <= {changed for changed, _, _ in decision.changed}


def test_while_links_are_decided_again_all_their_identifiers_are_found_in_the_region():
    resolver = ComponentResolver(Clusters(TENANT, policy()))
    for at, name in enumerate("xyzw"):
        pair, _, _ = link("customer_id:A", f"cookie:{name}", at)
        resolver.add_missing(pair, None)
        resolver.append((at, pair, False), evidence_of(at, asserted=False), None)
    nodes = set(resolver.clusters.cluster_of)
    missing = 0
    with mock.patch.object(resumable, "STEPS_BETWEEN_YIELDS", 1):
        region = resolver.region((A,))
        for _ in resolver.resolve_anew({}, {A}, None):
            missing += any(one not in resolver.clusters.cluster_of for one in nodes)
            assert {resolver.region((one,)).root for one in nodes} == {region.root}
    assert missing


def test_what_many_restored_links_concern_is_one_region_while_they_are_resolved():
    identities = TenantIdentities(TENANT, policy())
    nodes = set()
    for number in range(1200):
        pair, at, _ = link("customer_id:A", f"phone:{number}", number)
        nodes |= set(pair)
        identities.restore(pair, evidence_of(at, asserted=False))
    steps = 0
    for _ in identities.resolve_restored((A,)):
        steps += 1
        assert is_one(identities, *list(nodes)[::100])
    assert steps > 10
