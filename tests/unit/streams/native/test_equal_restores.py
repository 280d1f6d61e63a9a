"""Stitch's changelog through both cores: the same assignments and evidence, whatever is in it."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from schemas.encoding.codec import HEADER_BYTES
from schemas.encoding.record_types import IDENTITY_ASSIGNMENT, IDENTITY_LINK
from schemas.errors import ContractError
from schemas.keys import identifier_key
from streams.identity.resolution.definition import own_profile
from streams.identity.resolution.links import link_key
from streams.stitch.stitching import StitchState
from tests.support.agents import Record
from tests.support.native import core, law_of_both, needs_native

pytestmark = needs_native

NODES = [("cookie", "a"), ("cookie", "b"), ("email", "x")]
#: Canonical ids, the nil id, one in capitals, and none.
PROFILES = [own_profile("default", node) for node in NODES] + [
    "00000000-0000-0000-0000-000000000000", "3BDC4DAB-1D39-5989-B988-CB6EAEDD7228", "p1"
]  # fmt: skip
Change = tuple[bytes, bytes | None]


def identifier(node: tuple[str, str]) -> dict[str, str]:
    return {"type": node[0], "value": node[1]}


@st.composite
def assignments(draw: st.DrawFn) -> Change:
    node = draw(st.sampled_from(NODES))
    contested = draw(st.sampled_from([None, None, None, 5]))
    correction = {"version": 1, "erased_at": draw(st.sampled_from([None, 3])), "cuts": [4]}
    record: Any = {
        "tenant": "default", "identifier": identifier(node), "profile_id": draw(st.sampled_from(PROFILES)),
        "contested_from": contested, "contested_profile_id": None if contested is None else PROFILES[0],
        "version": draw(st.sampled_from([0, 1, 2, 2**62])), "event_id": "e", "occurred_at": 7,
        "correction": draw(st.sampled_from([None, None, None, correction])),
    }  # fmt: skip
    return identifier_key("default", record["identifier"]), IDENTITY_ASSIGNMENT.encode(record)


@st.composite
def links(draw: st.DrawFn) -> Change:
    left, right = draw(st.sampled_from([(0, 1), (0, 2), (1, 2)]))
    link: Any = {
        "tenant": "default", "left": identifier(NODES[left]), "right": identifier(NODES[right]),
        "occurred_at": draw(st.integers(-9, 9)), "kind": draw(st.sampled_from(["OBSERVED", "ASSERTED"])),
        "event_id": "e", "source": "web",
    }  # fmt: skip
    interval = draw(st.sampled_from([b"", b"", b"\x1f1\x1f1"]))
    return link_key(link) + interval, IDENTITY_LINK.encode(link)


@st.composite
def damaged(draw: st.DrawFn) -> Change:
    key, whole = draw(st.one_of(assignments(), links()))
    assert whole is not None
    value = bytearray(whole)
    value[draw(st.integers(HEADER_BYTES, len(value) - 1))] = draw(st.integers(0, 255))
    return key, bytes(value)[: draw(st.integers(HEADER_BYTES, len(value)))]


whole = st.one_of(assignments(), assignments(), links(), links())
gone = st.builds(lambda change: (change[0], None), whole)


def restored(changes: list[Change], *, native: bool) -> tuple[StitchState, int, str]:
    """The state, how many records were applied, and what was wrong with the next one."""
    state, done = StitchState(), 0
    records = [Record(key=key, value=value) for key, value in changes]
    with core(native=native):
        while done < len(records):
            done = state.restore_some(records, done)
            if done < len(records):
                try:
                    state.restore(records[done].key or b"", records[done].value)
                except (ContractError, ValueError) as error:
                    return state, done, str(error)
                done += 1
    return state, done, ""


@law_of_both
@given(st.lists(st.one_of(whole, whole, gone), max_size=12))
def test_a_changelog_gives_the_same_state(changes: list[Change]) -> None:
    native, python = restored(changes, native=True), restored(changes, native=False)
    assert native == python
    assert {key: type(one) for key, one in native[0].assignments.items()} == {
        key: type(one) for key, one in python[0].assignments.items()
    }


@law_of_both
@given(st.lists(st.one_of(whole, damaged()), max_size=6))
def test_a_damaged_record_is_read_alike_or_refused_alike(changes: list[Change]) -> None:
    assert restored(changes, native=True) == restored(changes, native=False)


def test_a_changelog_without_oddities_is_restored_in_one_call() -> None:
    plain: list[Change] = []
    for version, node in enumerate(NODES):
        record: Any = {
            "tenant": "default", "identifier": identifier(node), "profile_id": PROFILES[0], "contested_from": None,
            "contested_profile_id": None, "version": version, "event_id": "e", "occurred_at": 7, "correction": None,
        }  # fmt: skip
        plain.append((identifier_key("default", record["identifier"]), IDENTITY_ASSIGNMENT.encode(record)))
    with core(native=True):
        assert StitchState().restore_some([Record(key=key, value=value) for key, value in plain], 0) == len(
            plain
        )
