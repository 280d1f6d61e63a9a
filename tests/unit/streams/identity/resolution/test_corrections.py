"""Laws of corrections: what counts is the evidence after its cuts, in whatever order both arrive."""

from hypothesis import given
from hypothesis import strategies as st

from streams.identity.outputs import Cause, correction_outputs
from streams.identity.resolution.corrections import CorrectedIdentities, Corrections, remaining
from streams.identity.resolution.definition import Assignment, own_profile, resolve
from streams.identity.resolution.evidence import Evidence, Node, Pair
from tests.support.identity_people import NODES, TENANT, evidence_map, histories, link, node, pairs, policy

POLICY = policy()
erasures = st.tuples(st.sampled_from(NODES), st.integers(0, 9))
withdrawals = st.tuples(pairs, st.integers(0, 9))
requests = st.lists(erasures | withdrawals, min_size=1, max_size=4)
Request = tuple[Node | Pair, int]


def is_erasure(request: Request) -> bool:
    return isinstance(request[0][0], str)


def corrections_of(asked: list[Request]) -> Corrections:
    found = Corrections()
    for request in asked:
        (found.erase if is_erasure(request) else found.unlink)(*request)  # type: ignore[operator]
    return found


def after(history, asked) -> CorrectedIdentities:
    """Evidence, then the corrections, then what of the evidence is sent again."""
    identities = CorrectedIdentities(TENANT, POLICY)
    for version, event in enumerate(history):
        identities.observe(*event, version)
    for version, request in enumerate(asked, start=1000):
        (identities.erase if is_erasure(request) else identities.unlink)(*request, version)
    for version, event in enumerate(history, start=2000):
        identities.observe(*event, version)
    return identities


@given(histories, requests)
def test_what_is_cut_was_never_there(history, asked):
    cuts = corrections_of(asked)
    counts = [event for event in history if (cut := cuts.cut(event[0])) is None or event[1] > cut]
    expected = resolve(TENANT, POLICY, evidence_map(counts))

    identities = after(history, asked)

    for one in NODES:
        own = Assignment(own_profile(TENANT, one), None, None)
        assert identities.assignment(one) == expected.get(one, own)


@given(requests, st.data())
def test_corrections_in_any_order_and_number_say_the_same(asked, data):
    again = data.draw(st.permutations(asked + data.draw(st.lists(st.sampled_from(asked), max_size=3))))
    one, other = corrections_of(asked), corrections_of(again)
    assert (one.erased, one.unlinked) == (other.erased, other.unlinked)


@given(st.builds(Evidence, st.none() | st.integers(0, 9), st.none() | st.integers(0, 9)), st.integers(0, 9))
def test_what_remains_after_a_cut_is_later_than_it(evidence, cut):
    assert all(time is None or time > cut for time in remaining(evidence, cut))
    assert remaining(remaining(evidence, cut), cut) == remaining(evidence, cut)
    assert remaining(evidence, None) == evidence


@given(histories, requests)
def test_a_correction_that_is_repeated_changes_nothing(history, asked):
    identities = after(history, asked)
    before = {one: identities.assignment(one) for one in NODES}
    for version, request in enumerate(asked, start=3000):
        outcome = (identities.erase if is_erasure(request) else identities.unlink)(*request, version)
        assert outcome is None or (not outcome.marked and not outcome.decision.changed)
    assert {one: identities.assignment(one) for one in NODES} == before


def told(links, erased):
    identities = CorrectedIdentities(TENANT, POLICY)
    for version, one in enumerate(links):
        identities.observe(*one, version)
    outcome = identities.erase(erased, 100, 50)
    return correction_outputs(outcome, identities, Cause(TENANT, 50, "request", 100), erased)


def test_an_erasure_tells_of_one_tombstone_the_profiles_that_held_it_and_what_splits():
    links = [link("cookie:w", "customer_id:A", 1), link("cookie:x", "customer_id:A", 2)]
    found = told(links, node("customer_id:A"))

    own, anchor = own_profile(TENANT, node("customer_id:A")), own_profile(TENANT, node("cookie:w"))
    assert [one["identifier"]["value"] for one, gone in found.assignments if gone] == ["A"]
    assert {one["profile_id"] for one in found.erases} == {own, anchor}
    assert {one["assignment"]["correction"]["erased_at"] for one in found.erases} == {100}
    changes = [(one["kind"], one["profile_id"], one["others"]) for one in found.changes]
    assert changes == [
        ("SPLIT", anchor, [own_profile(TENANT, node("cookie:x"))]),
        ("ERASED", own, [anchor]),
    ]


def test_forgetting_somebody_unknown_still_answers():
    found = told([], node("email:a"))

    assert [one["profile_id"] for one in found.erases] == [own_profile(TENANT, node("email:a"))]
    assert [(one["kind"], one["others"]) for one in found.changes] == [("ERASED", [])]


def test_a_golden_record_is_withdrawn_and_stays_so_when_it_is_sent_again():
    golden = link("customer_id:A", "customer_id:B", 5, asserted=True)
    identities = CorrectedIdentities(TENANT, POLICY)
    for version, one in enumerate([link("cookie:w", "customer_id:A", 1), golden]):
        identities.observe(*one, version)
    together = identities.assignment(node("customer_id:A"))
    assert together == identities.assignment(node("customer_id:B"))

    identities.unlink(golden[0], 9, 2)
    assert identities.observe(*golden, 3) is None
    assert identities.assignment(node("customer_id:A")) == together
    assert identities.assignment(node("customer_id:B")).profile_id == own_profile(
        TENANT, node("customer_id:B")
    )

    identities.observe(golden[0], 10, True, 4)
    assert identities.assignment(node("customer_id:B")) == together
