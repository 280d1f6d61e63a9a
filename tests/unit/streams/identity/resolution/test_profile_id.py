"""Names of profiles."""

from uuid import uuid5

from hypothesis import given
from hypothesis import strategies as st

from streams.identity.resolution.profile_id import NAMESPACE, Assignment, contested_profile, own_profile

texts = st.text(st.characters(exclude_categories=["Cs"]))


@given(texts, texts)
def test_a_profile_id_is_the_uuid_version_5_of_its_identifier(type_, value):
    assert own_profile("shop", (type_, value)) == str(uuid5(NAMESPACE, f"shop\x1f{type_}\x1f{value}"))


def test_a_contested_profile_is_another_one_than_the_identifiers_own():
    assert contested_profile("shop", ("cookie", "c")) != own_profile("shop", ("cookie", "c"))


def test_what_happened_at_the_very_time_is_contested_already():
    assignment = Assignment("hers", 5, "nobodys")
    assert [assignment.owner_at(time) for time in (4, 5, 6)] == ["hers", "nobodys", "nobodys"]
