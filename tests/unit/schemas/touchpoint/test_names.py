"""One spelling of a name, however a source writes it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.touchpoint.names import canonical, identifier_type
from schemas.touchpoint.rules import is_type_name


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("order_placed", "order_placed"),
        ("Order Placed", "order_placed"),
        ("order-placed", "order_placed"),
        ("  ORDER\u00a0\u2013 Placed\t", "order_placed"),
        ("order__placed", "order_placed"),
        ("Größe Ändern", "größe_ändern"),
        ("注文 完了", "注文_完了"),
        (" ", ""),
        ("order.placed/2", "order.placed/2"),
        ("\uff4f\uff52\uff44\uff45\uff52\uff3f\uff30\uff4c\uff41\uff43\uff45\uff44", "order_placed"),
        ("order\u200b_placed\ufeff", "order_placed"),
        ("\x01order_placed\x7f", "order_placed"),
        ("\u3164\u200b", ""),
    ],
)
def test_case_spaces_and_dashes_do_not_make_another_name(written: str, name: str) -> None:
    assert canonical(written) == name


@given(st.text() | st.text("a\uff21_\uff3f\uff0d \u200b\u3000\x01"))
def test_a_canonical_name_is_its_own_canonical_form(text: str) -> None:
    assert canonical(canonical(text)) == canonical(text)


@given(st.text() | st.text("İȺȾẞΣ -\u2014\uff21\u200b\u3000"))
def test_a_canonical_name_takes_no_more_bytes_so_that_limits_hold_for_it_too(text: str) -> None:
    assert len(canonical(text).encode()) <= len(text.encode())


@given(st.text("abc_ -"))
def test_upper_case_and_dashes_change_nothing(text: str) -> None:
    assert canonical(text.upper().replace("_", "-")) == canonical(text)


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("userEmail", "user_email"),
        ("userID", "user_id"),
        ("IPAddress", "ip_address"),
        ("eMail", "e_mail"),
        ("MSISDN", "msisdn"),
        ("user.email", "user_email"),
        ("contact / phone", "contact_phone"),
        ("\uff55ser\uff25mail", "user_email"),
        ("K" + "aB" * 31, "k" + "ab" * 31),
    ],
)
def test_an_identifier_type_is_broken_at_humps_dots_and_slashes(written: str, name: str) -> None:
    assert identifier_type(written) == name


@given(st.text() | st.text("abIDx._-/ ", max_size=70))
def test_a_canonical_identifier_type_is_its_own_canonical_form_and_valid_if_the_written_one_is(
    written: str,
) -> None:
    name = identifier_type(written)
    assert identifier_type(name) == name
    assert is_type_name(name) or not is_type_name(written)
