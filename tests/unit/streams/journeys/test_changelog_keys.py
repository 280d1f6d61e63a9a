"""A changelog key says whose record it is, of which kind, and which one."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.journeys.changelog_keys import Kind, node_name, node_of_name, parse

#: The machine may be busy: a law is about values, never about time.
law = settings(max_examples=40, deadline=None)

PROFILE = b"shop/2b0c"


def test_each_kind_has_a_letter_of_its_own() -> None:
    assert [kind.value for kind in Kind] == [b"/e/", b"/p/", b"/f/", b"/s/", b"/i/", b"/m/", b"/c/", b"/o/"]


@law
@given(st.sampled_from(Kind), st.binary(max_size=50))
def test_a_key_gives_back_its_parts_whatever_bytes_the_rest_has(kind: Kind, rest: bytes) -> None:
    assert parse(PROFILE + kind + rest) == (PROFILE, kind, rest)


def test_the_key_of_a_model_has_no_profile() -> None:
    assert parse(b"shop/" + Kind.MODEL) == (b"shop/", Kind.MODEL, b"")


@law
@given(st.from_regex(r"[a-z_]{1,20}", fullmatch=True), st.text(max_size=50))
def test_an_identifier_may_have_any_value_in_a_key(type_: str, value: str) -> None:
    assert node_of_name(node_name((type_, value))) == (type_, value)


@pytest.mark.parametrize("key", [b"", b"shop/2b0c", b"shop/2b0c/e", b"shop/2b0c/x/", b"shop/2b0c//"])
def test_a_key_of_another_form_or_kind_is_refused(key: bytes) -> None:
    with pytest.raises((ValueError, LookupError)):
        parse(key)
