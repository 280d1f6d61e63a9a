"""The checks that every reader of a TOML file shares."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import SettingsError
from schemas.toml_text import TomlText, is_number, is_texts

TEXT = 'colour = "red"\n\n[types.email]\npriority = 1\n[types."a b"]\nlimit = 2\n'


def test_an_error_names_the_text_the_line_and_the_entry() -> None:
    source = TomlText(TEXT, "my.toml")
    assert (
        str(source.error(("types", "a b", "limit"), "lower it"))
        == "my.toml, line 6: types.a b.limit: lower it"
    )


def test_an_entry_that_is_not_written_is_placed_at_its_table() -> None:
    assert TomlText(TEXT, "my.toml").place("types", "email", "limit") == "my.toml, line 3: types.email.limit"


def test_what_is_no_toml_is_refused_by_the_name_of_the_text() -> None:
    with pytest.raises(SettingsError, match=r"^my\.toml is not TOML: "):
        TomlText("colour = ", "my.toml")


@pytest.mark.parametrize("value", [True, False, "1", None, [1], float("nan")])
def test_a_truth_a_text_and_what_is_not_a_number_are_no_numbers(value: object) -> None:
    assert not is_number(value, 0, 10)


@given(st.integers(-5, 15) | st.floats(-5, 15), st.booleans())
def test_a_number_lies_within_its_bounds_both_included(value: float, whole: bool) -> None:
    assert is_number(value, 0, 10, whole=whole) == (
        0 <= value <= 10 and (isinstance(value, int) or not whole)
    )


def test_a_list_of_texts_holds_nothing_else() -> None:
    assert is_texts([])
    assert is_texts(["a", ""])
    assert not is_texts(["a", ""], empty=False)
    assert not is_texts(["a", 1])
    assert not is_texts("a")


@pytest.mark.parametrize("value", ["[" * 5_000, "{a=" * 5_000])
def test_what_nests_too_deeply_is_refused_by_name(value: str) -> None:
    with pytest.raises(SettingsError, match=r"my\.toml nests lists or tables too deeply"):
        TomlText(f"limit = {value}", "my.toml")
