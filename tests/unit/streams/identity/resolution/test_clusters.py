"""Clusters, by hand: links in the order in which they are decided, and the people, refusals and names they end in.

The rules of `people.RULES`: a person has one customer_id, at most two emails and at most three cookies; phones and
devices have no rule. The strongest type is customer_id, the weakest are cookie and device.
"""

import pytest

from streams.identity.resolution.clusters import Clusters
from streams.identity.resolution.evidence import Item, Node
from tests.support.identity_people import TENANT, Link, link, node, own, policy


def item(one: Link) -> Item:
    pair, time, asserted = one
    return time, pair, asserted


def clusters_of(links: list[Link]) -> Clusters:
    clusters = Clusters(TENANT, policy())
    for one in links:
        clusters.decide(item(one))
    return clusters


def people(clusters: Clusters) -> list[list[str]]:
    """The clusters as sorted lists of their members."""
    distinct = {id(cluster): cluster for cluster in clusters.cluster_of.values()}
    return sorted(sorted(":".join(member) for member in cluster.members) for cluster in distinct.values())


FOUR_COOKIES = [link("email:a", f"cookie:{name}", time) for time, name in enumerate("wxyz", start=1)]


@pytest.mark.parametrize(
    ("links", "expected", "refused"),
    [
        pytest.param(
            [link("cookie:c", "email:a", 1), link("email:a", "customer_id:A", 2)],
            [["cookie:c", "customer_id:A", "email:a"]],
            [],
            id="links that share an identifier make one person",
        ),
        pytest.param(
            [link("cookie:c", "email:a", 1), link("cookie:d", "email:b", 2)],
            [["cookie:c", "email:a"], ["cookie:d", "email:b"]],
            [],
            id="links that share no identifier make two people",
        ),
        pytest.param(
            [link("cookie:c", "customer_id:A", 1), link("cookie:c", "customer_id:B", 2)],
            [["cookie:c", "customer_id:A"], ["customer_id:B"]],
            ["unique:customer_id"],
            id="a second customer id is refused",
        ),
        pytest.param(
            [link("cookie:c", "customer_id:A", 1), link("cookie:c", "customer_id:B", 2, asserted=True)],
            [["cookie:c", "customer_id:A", "customer_id:B"]],
            [],
            id="an assertion may bring a second customer id",
        ),
        pytest.param(
            FOUR_COOKIES,
            [["cookie:w", "cookie:x", "cookie:y", "email:a"], ["cookie:z"]],
            ["limit:cookie"],
            id="a fourth cookie is refused",
        ),
        pytest.param(
            [*FOUR_COOKIES[:3], link("email:a", "cookie:z", 4, asserted=True)],
            [["cookie:w", "cookie:x", "cookie:y", "email:a"], ["cookie:z"]],
            ["limit:cookie"],
            id="an assertion does not exceed a limit",
        ),
        pytest.param(
            [*FOUR_COOKIES[:2], link("email:b", "cookie:y", 3), link("email:b", "cookie:z", 4),
             link("email:a", "email:b", 5)],
            [["cookie:w", "cookie:x", "email:a"], ["cookie:y", "cookie:z", "email:b"]],
            ["limit:cookie"],
            id="two people with two cookies each would have four together",
        ),
        pytest.param(
            [link("cookie:c", "customer_id:A", 1), link("cookie:c", "customer_id:B", 2),
             link("cookie:c", "email:e", 3)],
            [["cookie:c", "customer_id:A"], ["customer_id:B"], ["email:e"]],
            ["contested", "unique:customer_id"],
            id="a contested cookie links nobody any more",
        ),
    ],
)  # fmt: skip
def test_a_link_unites_two_people_unless_a_rule_forbids_it(links, expected, refused) -> None:
    clusters = clusters_of(links)
    assert people(clusters) == expected
    assert sorted(clusters.refused.values()) == refused


@pytest.mark.parametrize(
    ("refused", "contested"),
    [
        pytest.param(
            link("cookie:c", "customer_id:B", 2), ["cookie:c"], id="of cookie and customer id, the cookie"
        ),
        pytest.param(
            link("email:e", "customer_id:B", 2), ["email:e"], id="of email and customer id, the email"
        ),
        pytest.param(link("cookie:c", "device:b", 2), ["cookie:c", "device:b"], id="of equals, both"),
        pytest.param(link("customer_id:A", "customer_id:B", 2), [], id="of two customer ids, neither"),
    ],
)
def test_the_weaker_identifier_of_a_refused_link_is_contested_from_then_on(refused, contested) -> None:
    people_apart = [
        link("cookie:c", "customer_id:A", 1), link("email:e", "customer_id:A", 1),
        link("device:b", "customer_id:B", 1),
    ]  # fmt: skip
    clusters = clusters_of([*people_apart, refused])
    assert clusters.gates.contested == {node(one): item(refused) for one in contested}


@pytest.mark.parametrize(
    ("links", "anchor"),
    [
        pytest.param([link("cookie:c", "customer_id:A", 3)], "cookie:c", id="of one link, the weaker type"),
        pytest.param([link("cookie:c", "device:a", 3)], "cookie:c", id="of equal types, the first in the alphabet"),
        pytest.param([link("cookie:d", "cookie:c", 3)], "cookie:c", id="of one type, the first value"),
        pytest.param(
            [link("email:a", "cookie:late", 1), link("customer_id:A", "cookie:early", 2),
             link("customer_id:A", "email:a", 5)],
            "cookie:late",
            id="of two people, the one who was linked first",
        ),
        pytest.param(
            [link("customer_id:A", "email:a", 1), link("customer_id:A", "cookie:c", 2)],
            "email:a",
            id="a newcomer does not rename a person",
        ),
        pytest.param(
            [link("customer_id:A", "email:a", 1), link("customer_id:A", "cookie:c", 1)],
            "cookie:c",
            id="a newcomer of the same moment and a weaker type does",
        ),
    ],
)  # fmt: skip
def test_a_person_is_named_after_the_identifier_that_was_linked_first(links, anchor) -> None:
    clusters = clusters_of(links)
    assert {cluster.profile_id for cluster in clusters.cluster_of.values()} == {own(anchor)}


CONTESTED_COOKIE = [link("cookie:c", "customer_id:A", 10), link("cookie:c", "customer_id:B", 20)]
#: email:a has three cookies; a fourth was refused, with which customer B signed in.
COOKIE_OF_BOB = [*FOUR_COOKIES, link("cookie:z", "customer_id:B", 5)]


@pytest.mark.parametrize(
    ("links", "one", "other", "obeys"),
    [
        pytest.param(CONTESTED_COOKIE, "cookie:c", "customer_id:B", False, id="two customer ids"),
        pytest.param(CONTESTED_COOKIE, "cookie:c", "customer_id:A", True, id="one customer id, already united"),
        pytest.param(FOUR_COOKIES, "email:a", "cookie:z", False, id="three cookies and one"),
        pytest.param(
            [*FOUR_COOKIES[:2], link("phone:1", "cookie:z", 9)], "email:a", "phone:1", True, id="two cookies and one"
        ),
        pytest.param(
            [link("email:a", "email:b", 1), link("phone:1", "email:c", 2)], "email:a", "phone:1", False,
            id="two emails and one",
        ),
    ],
)  # fmt: skip
def test_two_people_together_obey_the_rules_if_neither_value_nor_count_is_too_many(
    links, one, other, obeys
) -> None:
    clusters = clusters_of(links)
    assert (
        clusters.obeys_every_rule(clusters.cluster_of[node(one)], clusters.cluster_of[node(other)]) is obeys
    )


@pytest.mark.parametrize(
    ("links", "one", "keeps"),
    [
        pytest.param(CONTESTED_COOKIE, "cookie:c", True, id="the side of the contested cookie gains a phone"),
        pytest.param(CONTESTED_COOKIE, "customer_id:B", True, id="the side of the refused customer gains a phone"),
        pytest.param(COOKIE_OF_BOB, "email:a", True, id="the side with three cookies gains a phone"),
        pytest.param(
            [*COOKIE_OF_BOB, link("phone:1", "customer_id:A", 6)], "email:a", False,
            id="the side with three cookies gains a customer id, so the fourth may have been refused for that",
        ),
    ],
)  # fmt: skip
def test_a_refusal_is_kept_if_its_reason_does_not_depend_on_when_two_people_became_one(
    links, one, keeps
) -> None:
    clusters = clusters_of([*links, link("phone:1", "device:d", 7)])
    sides = clusters.cluster_of[node(one)], clusters.cluster_of[node("phone:1")]
    assert clusters.obeys_every_rule(*sides)
    assert clusters.keeps_every_refusal(*sides) is keeps


@pytest.mark.parametrize(
    "accepted",
    [
        pytest.param(link("email:a", "phone:1", 50), id="a larger cluster absorbs a smaller one"),
        pytest.param(link("phone:1", "email:a", 0), id="an earlier link renames the larger one"),
        pytest.param(link("email:a", "cookie:x", 0), id="an earlier link within a cluster renames it"),
    ],
)
def test_reverting_a_union_restores_members_counts_and_names(accepted) -> None:
    clusters = clusters_of([*FOUR_COOKIES[:2], link("phone:1", "cookie:z", 9)])

    def now() -> dict[Node, tuple[list[Node], dict[str, int], str]]:
        return {
            one: (list(cluster.members), dict(cluster.counts), cluster.profile_id)
            for one, cluster in clusters.cluster_of.items()
        }

    before = now()
    undo = clusters.unite(item(accepted), clusters.survivor(item(accepted)))
    assert undo is not None
    assert now() != before
    clusters.revert_unite(undo)
    assert now() == before


def test_reverting_a_refusal_makes_its_identifier_uncontested() -> None:
    clusters = clusters_of(CONTESTED_COOKIE)
    clusters.revert_refuse(item(CONTESTED_COOKIE[1]))
    assert (clusters.refused, clusters.gates.contested, clusters.refused_at) == ({}, {}, {})
