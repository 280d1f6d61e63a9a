"""Identity reads links and publishes decisions by both cores: the same messages, refusals and records."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from schemas.encoding.record_types import IDENTITY_LINK
from schemas.errors import ContractError
from schemas.keys import partition_of
from streams.identity.agent import Identity
from streams.identity.outputs import Cause
from streams.identity.publishing import DecisionPublisher
from streams.identity.resolution.components import Decision
from streams.identity.resolution.corrections import Mark, Outcome
from streams.identity.resolution.definition import own_profile
from streams.identity.resolution.profile_id import Assignment
from streams.identity.state import IdentityState
from streams.runtime.cooperative import CooperativeScheduler
from tests.support.agents import Record, at_once, worker_app
from tests.support.built_in import POLICY
from tests.support.native import core, law_of_both, needs_native
from tests.support.transactions import transaction_over
from tests.unit.streams.native.test_equal_restores import NODES, damaged, identifier, links

pytestmark = needs_native

PARTITIONS = 3
APP = worker_app(partitions=PARTITIONS)
IDENTITY = Identity(APP, POLICY)
PUBLISHER = DecisionPublisher(APP, CooperativeScheduler())
#: Mostly plain, some that Python must judge.
ODD_NODES = [
    *NODES,
    *NODES,
    ("email", "ü\0"),
    ("a b", "x"),
    ("cookie", ""),
    ("cookie", "a\x1fb"),
    ("cookie", "x" * 201),
]
PROFILES = [own_profile("default", node) for node in NODES]


@st.composite
def records(draw: st.DrawFn) -> Record:
    """A record of identity-links: mostly right."""
    key, value = b"default", draw(st.one_of(links(), damaged()))[1]
    if draw(st.booleans()):
        left, right = sorted(draw(st.lists(st.sampled_from(ODD_NODES), min_size=2, max_size=2)))
        if draw(st.sampled_from([False] * 5 + [True])):
            left, right = right, left
        link: Any = {
            "tenant": draw(st.sampled_from(["default", "default", "default", "a b", "shop"])),
            "left": identifier(left), "right": identifier(right),
            "occurred_at": draw(st.sampled_from([-9, 0, 2**60])),
            "kind": draw(st.sampled_from(["OBSERVED", "ASSERTED"])),
            "event_id": draw(st.sampled_from(["", "e", "e" * 5000])), "source": "wéb",
        }  # fmt: skip
        key, value = draw(st.sampled_from([b"default", link["tenant"].encode()])), IDENTITY_LINK.encode(link)
    home = partition_of(key, PARTITIONS)
    return Record("identity-links", draw(st.sampled_from([home, home, home, 0])), 0, 0, key, value)


def read(record: Record, *, native: bool) -> Any:
    with core(native=native):
        try:
            return IDENTITY.read(record)
        except ContractError as error:
            return str(error)


@law_of_both
@given(records())
def test_a_link_is_read_alike_or_refused_alike(record: Record) -> None:
    assert read(record, native=True) == read(record, native=False)


assigned = st.builds(
    lambda profile, contested: Assignment(profile, contested, None if contested is None else PROFILES[2]),
    st.sampled_from(PROFILES),
    st.sampled_from([None, None, 5, -(2**40)]),
)
groups = st.lists(
    st.tuples(
        st.sampled_from(PROFILES),
        st.lists(st.sampled_from(PROFILES), min_size=1, max_size=3),
        st.sampled_from(["link", "asserted", "contested:email", "order"]),
    ),
    max_size=2,
)
decisions = st.builds(
    lambda changed, merged, split, held: Decision(
        [(node, *change) for node, change in sorted(changed.items())], merged, split, held
    ),
    st.dictionaries(st.sampled_from([*NODES, ("email", "ü")]), st.tuples(st.none() | assigned, assigned)),
    groups,
    groups,
    st.sampled_from([{}, {}, {}, {NODES[0]: frozenset(PROFILES)}]),
)


def published(decision: Decision, marked: bool, *, native: bool) -> Any:
    state = IdentityState(POLICY)
    if marked:
        state.tenant("default").corrections.marks[NODES[0]] = Mark(3, None, (1,))
    link: Any = {
        "tenant": "default", "left": identifier(NODES[0]), "right": identifier(NODES[2]), "occurred_at": 7,
        "kind": "OBSERVED", "event_id": "e", "source": "web",
    }  # fmt: skip
    cause = Cause("default", 2**50, "é", -7)
    with core(native=native):
        fetch = transaction_over(APP, state)
        at_once(PUBLISHER.link(link, b"link", Outcome(decision), cause, fetch))
    return dict(fetch.outputs.records), dict(fetch.changes.records)


@law_of_both
@given(decisions, st.sampled_from([False, False, True]))
def test_a_decision_makes_the_same_records(decision: Decision, marked: bool) -> None:
    if not decision.changed:
        decision = Decision()  # nothing merges or parts without a change
    assert published(decision, marked, native=True) == published(decision, marked, native=False)
