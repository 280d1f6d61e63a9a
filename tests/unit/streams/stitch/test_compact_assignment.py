"""A compact assignment answers as the record of the assignment does."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.records import AssignmentCorrection, IdentityAssignment
from streams.identity.resolution.ownership import erased, owner_at
from streams.identity.resolution.profile_id import own_profile
from streams.stitch.compact_assignment import compact, correction_of, owner_of, version_of, was_erased

NODE = "cookie", "ck-1"
OWN = own_profile("shop", NODE)
OTHER = own_profile("shop", ("email", "a"))

times = st.integers(0, 9)
corrections = st.builds(
    lambda version, erased_at, cuts: AssignmentCorrection(version=version, erased_at=erased_at, cuts=cuts),
    st.integers(0, 9), st.none() | times, st.lists(times),
)  # fmt: skip


def assignment(profile_id: str, **fields: Any) -> IdentityAssignment:
    """An assignment of the cookie."""
    return IdentityAssignment(
        tenant="shop", identifier={"type": NODE[0], "value": NODE[1]}, profile_id=profile_id,
        event_id="e1", occurred_at=5,
        **({"contested_from": None, "contested_profile_id": None, "version": 7 << 48, "correction": None} | fields),
    )  # fmt: skip


@given(
    st.sampled_from([OWN, OTHER, "p1", OTHER.upper(), OTHER.replace("-", "")]), st.integers(-1, 2**63 - 1),
    st.none() | times, st.none() | corrections, times,
)  # fmt: skip
def test_what_is_kept_answers_as_the_assignment_does(
    profile: str, version: int, contested: int | None, correction: AssignmentCorrection | None, at: int
) -> None:
    record = assignment(
        profile, version=version, contested_from=contested, correction=correction,
        contested_profile_id=None if contested is None else "c1",
    )  # fmt: skip
    known = compact(record)
    assert version_of(known) == version
    assert correction_of(known) == correction
    assert was_erased(known, at) == erased(record, at)
    assert owner_of(known, "shop", NODE, at) == owner_at(record, at)


@pytest.mark.parametrize(("profile", "kind"), [(OWN, int), (OTHER, bytes)])
def test_an_ordinary_assignment_is_a_few_bytes(profile: str, kind: type) -> None:
    assert isinstance(compact(assignment(profile)), kind)
