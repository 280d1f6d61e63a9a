"""Deciding, by hand: links that are decided in order, and a late link after which some are decided again.

The rules of `people.RULES`: a person has one customer_id, at most two emails and at most three cookies; phones and
devices have no rule.
"""

import pytest

from streams.identity.resolution.clusters import Clusters
from streams.identity.resolution.deciding import ComponentResolver
from streams.identity.resolution.evidence import Evidence, Item, evidence_of, items
from streams.identity.resolution.resumable import run_to_end
from tests.support.identity_people import TENANT, Link, link, node, policy


def item(one: Link) -> Item:
    pair, time, asserted = one
    return time, pair, asserted


def evidence(one: Link) -> Evidence:
    return evidence_of(one[1], asserted=one[2])


def resolver_of(links: list[Link]) -> ComponentResolver:
    """The links decided in this order: each is the newest so far."""
    resolver = ComponentResolver(Clusters(TENANT, policy()))
    for one in links:
        resolver.add_missing(one[0], None)
        if not one[2] and resolver.clusters.gates.of(item(one)) is not None:
            resolver.suspend(item(one), evidence(one))
        else:
            resolver.append(item(one), evidence(one), None)
    return resolver


def decide_late(resolver: ComponentResolver, late: Link, *, in_place_of: list[Link]) -> None:
    resolver.add_missing(late[0], None)
    resolver.connect(late[0]).put(late[0], evidence(late))
    since = min(item(one) for one in (late, *in_place_of))
    run_to_end(resolver.redecide_since(items(late[0], evidence(late)), since, None))


def profile(resolver: ComponentResolver, identifier: str) -> list[str]:
    return sorted(":".join(member) for member in resolver.clusters.cluster_of[node(identifier)].members)


def refusals(resolver: ComponentResolver) -> dict[int, str]:
    """Time of a refused link → the reason; each time has one link in the tables."""
    return {time: reason for (time, _, _), reason in resolver.clusters.refused.items()}


ALICES_TABLET = link("cookie:tablet", "customer_id:A", 10)
BOB_ON_IT = link("cookie:tablet", "customer_id:B", 20)
EMAIL_ON_IT = link("cookie:tablet", "email:e", 30)
COOKIES = [
    link("email:a", f"cookie:{name}", time) for name, time in (("w", 10), ("x", 20), ("y", 30), ("z", 40))
]


@pytest.mark.parametrize(
    ("decided", "late", "in_place_of", "refused", "member", "expected"),
    [
        pytest.param(
            COOKIES, link("email:a", "cookie:late", 15), [],
            {30: "limit:cookie", 40: "limit:cookie"},
            "email:a", ["cookie:late", "cookie:w", "cookie:x", "email:a"],
            id="a late cookie takes the place of the third",
        ),
        pytest.param(
            COOKIES, link("email:a", "cookie:late", 35), [],
            {35: "limit:cookie", 40: "limit:cookie"},
            "email:a", ["cookie:w", "cookie:x", "cookie:y", "email:a"],
            id="a late cookie after the third is refused itself",
        ),
        pytest.param(
            [ALICES_TABLET, BOB_ON_IT], link("cookie:tablet", "customer_id:C", 15), [],
            {15: "unique:customer_id", 20: "contested"},
            "cookie:tablet", ["cookie:tablet", "customer_id:A"],
            id="an earlier stranger on the tablet makes it contested earlier",
        ),
        pytest.param(
            [ALICES_TABLET, BOB_ON_IT], link("cookie:tablet", "customer_id:B", 5), [BOB_ON_IT],
            {10: "unique:customer_id"},
            "cookie:tablet", ["cookie:tablet", "customer_id:B"],
            id="Bob was on the tablet first, so it is his",
        ),
        pytest.param(
            [ALICES_TABLET, BOB_ON_IT, EMAIL_ON_IT], link("customer_id:A", "customer_id:B", 5, asserted=True), [],
            {},
            "cookie:tablet", ["cookie:tablet", "customer_id:A", "customer_id:B", "email:e"],
            id="Alice and Bob were one person from the beginning, so the suspended email takes part again",
        ),
        pytest.param(
            [ALICES_TABLET, BOB_ON_IT, EMAIL_ON_IT], link("customer_id:A", "customer_id:B", 15, asserted=True), [],
            {},
            "cookie:tablet", ["cookie:tablet", "customer_id:A", "customer_id:B", "email:e"],
            id="Alice and Bob were one person before Bob used the tablet, so the suspended email takes part again",
        ),
        pytest.param(
            [ALICES_TABLET, BOB_ON_IT, EMAIL_ON_IT], link("cookie:tablet", "phone:1", 25, asserted=True), [],
            {20: "unique:customer_id", 30: "contested"},
            "cookie:tablet", ["cookie:tablet", "customer_id:A", "phone:1"],
            id="an assertion links a contested tablet, an observation still does not",
        ),
    ],
)  # fmt: skip
def test_a_late_link_ends_where_deciding_all_links_in_order_ends(
    decided, late, in_place_of, refused, member, expected
) -> None:
    resolver = resolver_of(decided)
    decide_late(resolver, late, in_place_of=in_place_of)
    assert refusals(resolver) == refused
    assert profile(resolver, member) == expected


@pytest.mark.parametrize(
    ("decided", "asked", "free"),
    [
        pytest.param(COOKIES[:2], link("email:a", "cookie:late", 5), True, id="a third cookie is within the limit"),
        pytest.param(COOKIES[:3], link("email:a", "cookie:late", 5), False, id="a fourth cookie exceeds it"),
        pytest.param(
            [ALICES_TABLET, link("email:e", "customer_id:B", 20)], link("cookie:tablet", "email:e", 5), False,
            id="two customer ids would meet",
        ),
        pytest.param(
            [ALICES_TABLET, BOB_ON_IT], link("cookie:tablet", "email:e", 15), True,
            id="the tablet was not contested yet",
        ),
        pytest.param(
            [ALICES_TABLET, BOB_ON_IT], link("cookie:tablet", "email:e", 25), False, id="the tablet was contested"
        ),
        pytest.param(
            [ALICES_TABLET, BOB_ON_IT], link("cookie:tablet", "email:e", 25, asserted=True), True,
            id="an assertion does not mind that the tablet was contested",
        ),
        pytest.param(
            [*COOKIES, link("cookie:z", "customer_id:B", 45), link("phone:1", "customer_id:A", 46)],
            link("email:a", "phone:1", 5), False,
            id="the fourth cookie would have been refused for its customer id, not for the limit",
        ),
    ],
)  # fmt: skip
def test_a_link_is_order_free_if_it_has_the_same_result_at_any_position(decided, asked, free) -> None:
    resolver = resolver_of(decided)
    resolver.add_missing(asked[0], None)
    assert resolver.is_order_free(item(asked), []) is free


def test_a_link_that_replaces_a_refused_one_is_not_order_free() -> None:
    resolver = resolver_of(COOKIES)
    earlier = link("email:a", "phone:1", 5)
    resolver.add_missing(earlier[0], None)
    assert resolver.is_order_free(item(earlier), [])
    assert not resolver.is_order_free(item(earlier), [item(COOKIES[3])])


@pytest.mark.parametrize(
    ("asked", "newest", "contested_side"),
    [
        pytest.param(link("cookie:tablet", "email:e", 25), True, "cookie:tablet", id="after both links"),
        pytest.param(link("cookie:tablet", "email:e", 15), False, None, id="between the two links"),
        pytest.param(link("cookie:tablet", "email:e", 5), False, None, id="before both links"),
        pytest.param(BOB_ON_IT, False, None, id="the link by which the tablet became contested"),
        pytest.param(link("phone:1", "email:e", 5), True, None, id="of two identifiers without a link"),
    ],
)
def test_a_link_is_compared_with_the_links_of_both_its_sides(asked, newest, contested_side) -> None:
    resolver = resolver_of([ALICES_TABLET, BOB_ON_IT])
    assert resolver.is_newest(item(asked)) is newest
    found = resolver.clusters.gates.of(item(asked))
    assert (None if found is None else ":".join(found.node)) == contested_side
