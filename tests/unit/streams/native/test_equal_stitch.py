"""The native core stitches as Python does: the same records in the same order, state and dead letters."""

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.encoding.codec import HEADER_BYTES
from schemas.encoding.record_types import TOUCHPOINT
from schemas.keys import identifier_key, partition_of
from schemas.records import Identifier, IdentityAssignment, Touchpoint
from streams.identity.policy.load import BUILT_IN
from streams.identity.policy.policy import IdentityPolicy
from streams.identity.resolution.definition import own_profile
from streams.runtime.cooperative import CooperativeScheduler
from streams.stitch.agent import Stitch
from streams.stitch.native_stitch import NativeStitch
from streams.stitch.stitching import StitchState
from tests.support.agents import FetchEvent, Record, worker_app
from tests.support.built_in import CATALOGUE, POLICY
from tests.support.journeys import DAY, START, touchpoint
from tests.support.journeys_of import touchpoints
from tests.support.native import core, law_of_both, needs_native
from tests.support.transactions import transaction_over

pytestmark = needs_native

NOW = START + 90 * DAY
PARTITIONS = 2
#: One tenant has rules of its own: cookies are stronger than all else there, and `b` is nobody.
TENANTS = IdentityPolicy.parse(
    '[tenants.bank.types.cookie]\npriority = 1\n[tenants.bank.blocked]\nvalues = ["b"]\n',
    b"a secret of more than thirty-two characters", "k1", "tenants.toml", BUILT_IN.read_text(encoding="utf-8"),
)  # fmt: skip
VALUES = st.sampled_from(["a", "b", "C", " d ", "undefined", "", "x" * 201, "é", "a\x1fb", "0"])
IDENTIFIERS = st.builds(
    Identifier,
    type=st.sampled_from(["cookie", "device_id", "customer_id", "email", "userEmail", "Cookie", "loyalty"]),
    value=VALUES,
)
REFERENCES = st.none() | st.sampled_from(["s1", "undefined", "", "null", "x" * 201, "é\0"])


@st.composite
def arriving(draw: st.DrawFn) -> Touchpoint:
    """A touchpoint as sources write them: mostly right, sometimes wrong in one field."""
    item = draw(touchpoints()) | {
        "identifiers": draw(st.lists(IDENTIFIERS, min_size=1, max_size=3)),
        "amount_minor": draw(st.none() | st.integers(-(10**16) - 1, 10**16 + 1)),
        "link": draw(st.sampled_from(["OBSERVED", "ASSERTED"])),
        "tenant": draw(st.sampled_from(["default", "bank"])),
    }
    wrong: dict[str, st.SearchStrategy[Any]] = {
        "tenant": st.sampled_from(["t" * 65, "", "a b", "shop.de"]),
        "event_id": st.sampled_from(["", " ", "e\0", "é", "e" * 201, "two words"]),
        "type": st.sampled_from(["Product View", "erasure_requested", "product-view", "", "t" * 129]),
        "channel": st.sampled_from(["Web", "c" * 65, "website", ""]),
        "source": st.sampled_from(["s" * 129, "a long source with words"]),
        "session_id": REFERENCES, "account_id": REFERENCES, "issue_id": REFERENCES, "order_id": REFERENCES,
        "campaign": REFERENCES,
        "occurred_at": st.sampled_from([0, -1, NOW, NOW + DAY, 1_000_000_000, -(10**13), 10**13, START - 99 * DAY]),
        "received_at": st.sampled_from([0, NOW, NOW + 1, NOW + DAY, START - DAY, 700_000_000, 10**13]),
        "currency": st.sampled_from(["EU", "eur", "EURO", "ÄÖÜ"]),
        "sentiment": st.sampled_from([1.5, float("nan"), -1.0]),
        "score": st.sampled_from([{"kind": "NPS", "value": 11.0}, {"kind": "CSAT", "value": 0.5}]),
        "consent": st.sampled_from([{"E-Mail": "GRANTED"}, {" ": "DENIED"}, {"a__b": "REVOKED"}, {"email": "DENIED"}]),
        "experiments": st.sampled_from([{"e" * 129: "x"}, {"e": "v" * 129}]),
        "attributes": st.sampled_from([{"k" * 201: "v"}, {str(n): "" for n in range(129)}, {"": ""}]),
        "identifiers": st.just([]),
    }  # fmt: skip
    for name in draw(st.lists(st.sampled_from(sorted(wrong)), max_size=1)):
        item[name] = draw(wrong[name])
    return item  # type: ignore[return-value]


@st.composite
def fetches(draw: st.DrawFn) -> list[Record]:
    records = []
    for offset, item in enumerate(draw(st.lists(arriving(), min_size=1, max_size=8))):
        value = bytearray(TOUCHPOINT.encode(item))
        if draw(st.integers(0, 9)) == 9:
            at = draw(st.integers(HEADER_BYTES, len(value) - 1))
            value[at] = draw(st.integers(0, 255))
        stamp = draw(st.sampled_from([(0, 0), (1, NOW - DAY), (1, NOW + DAY)]))
        routed = draw(st.sampled_from([(), (("touchline-routed", b"1"),)]))
        records.append(Record("touchpoints", 0, offset, stamp[1], b"k", bytes(value), routed, stamp[0]))
    return records


def assignment(node: Identifier, profile: str, version: int, kind: str) -> IdentityAssignment:
    plain = IdentityAssignment(
        tenant="default", identifier=node, profile_id=profile, contested_from=None, contested_profile_id=None,
        version=version, event_id="link", occurred_at=0, correction=None,
    )  # fmt: skip
    if kind == "contested":
        return plain | {
            "contested_from": START + DAY,
            "contested_profile_id": own_profile("default", ("x", "y")),
        }  # type: ignore[return-value]
    if kind == "corrected":
        correction = {"version": version, "cuts": [START + DAY], "erased_at": START + DAY}
        return plain | {"correction": correction}  # type: ignore[return-value]
    return plain


assignments = st.lists(
    st.builds(
        assignment,
        st.builds(Identifier, type=st.sampled_from(["cookie", "customer_id"]), value=st.sampled_from("ab")),
        st.sampled_from([own_profile("default", ("cookie", "a")), own_profile("default", ("email", "z")), "no uuid"]),
        st.integers(0, 2**40),
        st.sampled_from(["plain", "plain", "contested", "corrected"]),
    ),
    max_size=3,
)  # fmt: skip


def outcome(given: list[list[Record]], known: list[IdentityAssignment], native: bool) -> tuple[Any, int]:
    """Everything that comes of fetches, one after the other, and how many touchpoints the native core took."""
    app, taken = worker_app(partitions=PARTITIONS), 0
    stitch, state, found = Stitch(app, TENANTS, CATALOGUE, clock=lambda: NOW / 1000), StitchState(), []
    for one in known:
        state.assign(identifier_key(one["tenant"], one["identifier"]), one)
    with core(native=native):
        for records in given:
            event = FetchEvent(records)
            fetch = transaction_over(app, state, 0, event)
            ready, waiting, newcomers = asyncio.run(stitch.receive(event, fetch))
            taken += sum(hasattr(one, "record") for one in ready)
            stitch.stitch(ready, state, fetch.outputs)
            later = app.outbox()
            stitch.stitch(waiting, state, later)
            found.append(
                (dict(fetch.outputs.records), dict(fetch.changes.records), dict(later.records), newcomers)
            )
    return (found, state), taken


@law_of_both
@given(st.lists(fetches(), min_size=1, max_size=3), assignments)
def test_whatever_sources_send(given: list[list[Record]], known: list[IdentityAssignment]) -> None:
    # the second time everything has been seen before
    twice = given + given
    assert outcome(twice, known, native=True)[0] == outcome(twice, known, native=False)[0]


def test_it_takes_what_brings_nothing_new() -> None:
    people = [Identifier(type="device_id", value=f"d{number}") for number in range(200)]
    mine = [one for one in people if partition_of(identifier_key("default", one), PARTITIONS) == 0]
    items = [
        touchpoint(event_id=f"e{n}", identifiers=[one, Identifier(type="cookie", value=f"c{n}")])
        for n, one in enumerate(mine)
    ]
    records = [Record("touchpoints", 0, n, 0, b"k", TOUCHPOINT.encode(item)) for n, item in enumerate(items)]
    (first, taken), (_, again) = (
        outcome([records], [], native=True),
        outcome([records, records], [], native=True),
    )
    assert taken == 0, "all wait for identity's decision"
    assert again == len(records) > 50
    assert first == outcome([records], [], native=False)[0]


def test_python_reads_no_touchpoint_that_brings_new_evidence(monkeypatch: pytest.MonkeyPatch) -> None:
    people = [Identifier(type="device_id", value=f"d{number}") for number in range(40)]
    items = [
        touchpoint(event_id=f"e{n}", identifiers=[one, Identifier(type="cookie", value=f"c{n}")])
        for n, one in enumerate(people)
        if partition_of(identifier_key("default", one), PARTITIONS) == 0
    ]
    records = [
        Record("touchpoints", 0, n, 0, b"k", TOUCHPOINT.encode(item)) for n, item in enumerate(items * 2)
    ]
    monkeypatch.setattr(Stitch, "accept", None)
    (found, state), _ = outcome([records], [], native=True)
    assert len(state.evidence) == len(items) > 5
    links = [place for place, sent in found[0][0].items() for _ in sent if place[0] == "identity-links"]
    assert len(links) == len(items)
    assert sum(map(len, found[0][2].values())) == len(records), "each waits for its owner, the second one too"


@pytest.mark.parametrize("kind", ["plain", "contested", "corrected"])
def test_what_identity_decides_while_stitch_yields_counts_for_both(
    monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    people = (Identifier(type="cookie", value=f"c{number}") for number in range(99))
    node = next(one for one in people if partition_of(identifier_key("default", one), PARTITIONS) == 0)
    key = identifier_key("default", node)
    item = TOUCHPOINT.encode(touchpoint(identifiers=[node], occurred_at=START))
    decided = assignment(node, own_profile("default", ("email", "y")), 2, kind)

    def stitched(*, native: bool, decides: bool) -> tuple[bool, dict[Any, Any]]:
        app, state = worker_app(partitions=PARTITIONS), StitchState()
        stitch = Stitch(app, TENANTS, CATALOGUE, clock=lambda: NOW / 1000)
        state.assign(key, assignment(node, own_profile("default", ("email", "z")), 1, "plain"))

        turns = 0

        async def yields(_: Any) -> None:
            nonlocal turns
            turns += 1
            if decides and turns == 2:  # after the native core has taken the fetch
                state.assign(key, decided)

        # only a record that Python takes lets it yield then
        event = FetchEvent(
            [Record("touchpoints", 0, at, 0, key, value) for at, value in enumerate((b"?", item))]
        )
        with core(native=native), monkeypatch.context() as patch:
            patch.setattr(CooperativeScheduler, "yield_if_due", yields)
            fetch = transaction_over(app, state, 0, event)
            ready, waiting, _ = asyncio.run(stitch.receive(event, fetch))
            assert not waiting
            stitch.stitch(ready, state, fetch.outputs)
        return any(hasattr(one, "record") for one in ready), dict(fetch.outputs.records)

    took, _ = stitched(native=True, decides=False)
    assert took, "the native core takes it if nothing is decided"
    _, found = stitched(native=True, decides=True)
    assert found == stitched(native=False, decides=True)[1]
    assert len(found) == 1 + (kind != "corrected"), "what is erased meanwhile goes to nobody"


@pytest.mark.parametrize(
    ("tenant", "type_", "value", "priority"),
    [
        ("default", "cookie", "a", POLICY.rule("cookie").priority),
        ("default", "Cookie", "a", None),
        ("default", "cookie", "undefined", None),
        ("default", "cookie", " a", None),
    ],
)
def test_only_identifiers_that_preparing_does_not_change_have_a_priority(
    tenant: str, type_: str, value: str, priority: int | None
) -> None:
    asked: list[tuple[str, ...]] = []

    class Policy:
        def for_tenant(self, name: str) -> Any:
            asked.append((name,))
            return POLICY.for_tenant(name)

    native = NativeStitch(Policy(), CATALOGUE)  # type: ignore[arg-type]
    state, partitions = StitchState(), (1, 1)
    item = TOUCHPOINT.encode(touchpoint(tenant=tenant, identifiers=[Identifier(type=type_, value=value)]))
    with core(native=True):
        for _ in range(3):
            (taken,) = native.take([Record(value=item)], NOW, state, 0, partitions)
            assert (taken is not None) == (priority is not None)
    assert len(asked) == 1  # and then remembered
