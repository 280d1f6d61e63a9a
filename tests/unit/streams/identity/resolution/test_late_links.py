"""A late link repeats what came after it, not its whole component; and it rests, so that others are served."""

from streams.identity.resolution.components import TenantIdentities
from streams.identity.resolution.definition import resolve
from streams.identity.resolution.evidence import Pair
from tests.support.identity_people import RULES, TENANT, evidence_map, link, observed, policy

#: One customer id that everybody logs in with: three cookies are hers, all others are refused by the limit.
SHARED = [link("customer_id:all", f"cookie:{number:05}", 10 * number) for number in range(900)]
#: Links may unite as many identifiers as there are here.
ROOMY = RULES.replace("component_size = 7", "component_size = 10000")
#: Closes an identifier only after more refusals than there are here.
OPEN = policy(
    ROOMY.replace("close_after = 2", "close_after = 1000").replace(
        "quarantine_after = 4", "quarantine_after = 10000"
    )
)
BUILT_IN = ROOMY.replace("close_after = 2", "close_after = 50").replace(
    "quarantine_after = 4", "quarantine_after = 200"
)
WITHIN = 3  # rests of a decision that is cheap


def rests(identities: TenantIdentities, pair: Pair, time: int) -> int:
    return sum(1 for _ in identities.observe_resumably(pair, time, asserted=False))


def late(number: int, time: int) -> tuple[Pair, int]:
    return link("customer_id:all", f"cookie:late-{number}", time)[:2]


def test_a_late_link_repeats_only_what_came_after_it():
    identities = observed(SHARED, OPEN)
    assert rests(identities, *late(1, 8_901)) <= WITHIN
    assert rests(identities, *late(2, 4_001)) > WITHIN
    assert rests(identities, *late(3, 8_902)) <= WITHIN
    links = [
        *SHARED,
        *((*late(number, time), False) for number, time in ((1, 8_901), (2, 4_001), (3, 8_902))),
    ]
    assert identities.refused() == resolve(TENANT, OPEN, evidence_map(links)).refused


def test_only_the_first_link_from_before_a_history_decides_everything():
    identities = observed(SHARED, OPEN)
    everything = rests(identities, *late(1, 5))
    assert everything > len(SHARED) // 64
    assert rests(identities, *late(2, 8_905)) <= WITHIN


def test_a_late_link_between_people_who_obey_every_rule_repeats_nothing():
    identities = observed(SHARED, OPEN)
    for number in range(0, len(SHARED), 100):
        pair, time, _ = link(f"cookie:{number:05}", f"email:{number}", 10 * number + 1)
        assert rests(identities, pair, time) <= WITHIN


def test_work_that_rests_ends_where_work_without_a_rest_ends():
    one, other = observed(SHARED, OPEN), observed(SHARED, OPEN)
    pair, time = late(1, 5)
    results = []

    def work():
        results.append((yield from one.observe_resumably(pair, time, asserted=False)))

    assert len(list(work())) > WITHIN
    assert results == [other.observe(pair, time, asserted=False)]


def test_restored_evidence_is_resolved_when_somebody_asks_and_no_more_than_is_connected():
    identities = TenantIdentities(TENANT, OPEN)
    for pair, evidence in evidence_map([*SHARED, link("email:x", "cookie:x", 5)]).items():
        identities.restore(pair, evidence)
    pair, time, _ = link("email:x", "device:x", 7)
    assert rests(identities, pair, time) <= WITHIN
    assert len(identities.refused()) == len(SHARED) - 3


def test_evidence_restored_beside_what_is_resolved_takes_part():
    links = [link("cookie:tablet", "customer_id:A", 10), link("cookie:tablet", "customer_id:B", 20)]
    identities = observed(links)
    more = [link("cookie:tablet", "email:c", 15), link("email:c", "device:d", 16)]
    for pair, evidence in evidence_map(more).items():
        identities.restore(pair, evidence)
    expected = resolve(TENANT, policy(), evidence_map([*links, *more]))
    assert {node: identities.assignment(node) for node in expected} == dict(expected)


def test_a_flood_of_late_links_at_one_identifier_costs_no_more_for_the_last_than_for_the_first():
    built_in = policy(BUILT_IN)
    flood = [link("device:shared", f"cookie:{number:05}", -10 * number) for number in range(2_000)]
    identities = TenantIdentities(TENANT, built_in)
    cost = [rests(identities, pair, time) for pair, time, _ in flood]
    assert max(cost[1_000:]) <= max(cost[:200]) < len(flood) // 64
    expected = resolve(TENANT, built_in, evidence_map(flood))
    assert identities.refused() == expected.refused
    assert set(expected.refused.values()) == {"limit:cookie", "closed:cookie"}
    assert {node: identities.assignment(node) for node in expected} == dict(expected)


def test_a_flood_of_late_links_at_many_identifiers_of_a_profile_quarantines_it_at_a_bounded_cost():
    """No identifier sees more than one refusal: it is the profile that is asked again and again."""
    rules = policy(BUILT_IN)
    full = [link("device:hub", f"cookie:{name}", -(10**9)) for name in "abc"]
    members = [link("device:hub", f"alias:{number:05}", number - 10**6) for number in range(1_000)]
    flood = [link(f"alias:{number:05}", f"cookie:{number:05}", -10 * number) for number in range(1_000)]
    identities = observed([*full, *members], rules)
    cost = [rests(identities, pair, time) for pair, time, _ in flood]
    assert max(cost[600:]) <= max(cost[:300]) < len(flood) // 64
    expected = resolve(TENANT, rules, evidence_map([*full, *members, *flood]))
    assert identities.refused() == expected.refused
    assert set(expected.refused.values()) == {"limit:cookie", "quarantined"}
    assert {node: identities.assignment(node) for node in expected} == dict(expected)


def test_a_quarantined_profile_takes_what_is_asserted_and_nothing_else_and_others_are_open():
    full = [link("device:hub", f"cookie:{name}", number) for number, name in enumerate("abc")]
    many = [link("device:hub", f"alias:{number}", 10 + number) for number in range(5)]
    refused = [link(f"alias:{number}", f"cookie:{number}", 20 + number) for number in range(4)]
    observed_later = link("alias:4", "email:e", 30)
    asserted = link("alias:4", "email:f", 31, asserted=True)
    elsewhere = link("cookie:0", "email:g", 32)
    history = [*full, *many, *refused, observed_later, asserted, elsewhere]
    identities = observed(history, policy(ROOMY))
    hub = identities.assignment(("device", "hub"))
    assert identities.refused()[30, observed_later[0], False] == "quarantined"
    assert identities.assignment(("email", "f")) == hub
    assert identities.assignment(("email", "g")) == identities.assignment(("cookie", "0")) != hub
    # a further identifier of the profile is quarantined from the link on that made it one
    identities.observe(*link("email:f", "email:h", 40))
    assert identities.assignment(("email", "h")) != hub


def test_an_identifier_that_is_closed_for_a_type_still_takes_others_and_what_is_asserted():
    flood = [link("device:shared", f"cookie:{number:05}", number) for number in range(10)]
    asserted = link("cookie:00009", "device:shared", 20, asserted=True)
    identities = observed([*flood, link("device:shared", "email:e", 30), asserted])
    assert identities.assignment(("email", "e")) == identities.assignment(("device", "shared"))
    assert identities.refused()[20, asserted[0], True] == "limit:cookie"


def test_a_suspended_link_has_the_reason_of_the_definition_though_another_gate_came_later():
    closing = [link("phone:p", f"cookie:{name}", 10 + number) for number, name in enumerate("abcdez")]
    contesting = [link("cookie:z", f"customer_id:{name}", number) for number, name in enumerate("AB")]
    identities = observed([*closing, *contesting])
    suspended = 15, closing[-1][0], False
    expected = resolve(TENANT, policy(), evidence_map([*closing, *contesting])).refused
    assert observed(closing).refused()[suspended] == "closed:cookie"
    assert identities.refused()[suspended] == expected[suspended] == "contested"
