"""One spelling for one person, and never one spelling for two."""
# ruff: noqa: RUF001 (characters that look alike are the point)

import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from schemas.touchpoint.rules import MAX_IDENTIFIER_CHARACTERS
from streams.identity.policy.load import load
from streams.identity.policy.normalise import NORMALISERS, clean, email, keep, lower, phone
from streams.identity.policy.policy import IdentityPolicy

INVISIBLES = [
    "\u200b", "\u200c", "\u200d", "\u200e", "\u200f", "\u2060", "\ufeff", "\u00ad",
    "\u061c", "\u202a", "\u202b", "\u202c", "\u202d", "\u202e", "\u2066", "\u2067", "\u2068", "\u2069",
]  # fmt: skip
CONTROLS = [chr(code) for code in (*range(0x20), *range(0x7F, 0xA0))]


@pytest.mark.parametrize("control", CONTROLS)
def test_a_control_character_inside_a_value_is_replaced_so_that_two_values_stay_two(control: str) -> None:
    assert keep(f"12{control}34", "") == "12\ufffd34"
    assert len({normaliser(f"12{control}34", "") for normaliser in NORMALISERS.values()}) == 1
    assert email(f"1{control}2@shop.de", "") != email(f"12{control}@shop.de", "")


@pytest.mark.parametrize("control", CONTROLS)
def test_control_characters_around_a_value_are_no_part_of_it(control: str) -> None:
    assert {normaliser(f"{control} k1 {control}", "") for normaliser in NORMALISERS.values()} == {"k1"}


def test_half_an_emoji_is_replaced_wherever_it_stands() -> None:
    assert clean("\ud83da\udc4d") == "\ufffda\ufffd"


@pytest.mark.parametrize("invisible", INVISIBLES)
def test_invisible_characters_make_no_second_person(invisible: str) -> None:
    for place in (0, 3, 8):
        written = "ann@shop.de"[:place] + invisible + "ann@shop.de"[place:] + invisible
        assert email(written, "") == "ann@shop.de"
    assert phone(f"{invisible}+49 30{invisible} 1234567", "") == "+49301234567"
    assert lower(f"AB{invisible}C", "") == "abc"


@pytest.mark.parametrize("invisible", INVISIBLES)
def test_of_an_opaque_value_only_what_is_around_it_goes(invisible: str) -> None:
    assert keep(f"{invisible}aB\u0308{invisible}", "") == "aB\u0308"
    assert keep(f"a{invisible}B", "") == f"a{invisible}B"


@pytest.mark.parametrize(
    "written",
    [
        *("mailto:ann@shop.de", "MAILTO:Ann@Shop.de?subject=Hi", "<ann@shop.de>", "Ann Lee <ann@shop.de>"),
        *(
            '"ann@shop.de"',
            "'ann@shop.de'",
            "“ann@shop.de”",
            "„ann@shop.de“",
            "«ann@shop.de»",
            "`ann@shop.de`",
        ),
        *("<mailto:ann@shop.de>", '"<ann@shop.de>"', '"Lee, Ann" <ann@shop.de>', " ' ann@shop.de ' "),
        *("ａｎｎ＠ｓｈｏｐ．ｄｅ", "\u3000ann@shop.de\u3000", "ann@shop\u3002de", "\xa0ann@shop.de"),
    ],
)
def test_what_people_and_programs_put_around_an_address_is_no_part_of_it(written: str) -> None:
    assert email(written, "") == "ann@shop.de"


@pytest.mark.parametrize("address", ['"john doe"@shop.de', "o'neil@shop.de", "a<b@shop.de", "ann@shop.de>"])
def test_quotes_and_brackets_within_an_address_stay(address: str) -> None:
    assert email(address, "") == address


@pytest.mark.parametrize("written", ["Jo\u0308rg", "J\u00f6rg", "JÖRG", "J\u200bo\u200d\u0308rg"])
def test_accents_are_composed_in_what_people_type(written: str) -> None:
    assert lower(written, "") == "j\u00f6rg"


@pytest.mark.parametrize(
    "written",
    ["+49 30 1234567 ext. 12", "+49 30 1234567 x12", "tel:+49-30-1234567;ext=12", "+49 30 1234567 Ext 12"],
)
def test_the_extension_of_a_phone_number_is_part_of_it(written: str) -> None:
    assert phone(written, "") == "+49301234567;ext=12"


def test_colleagues_behind_one_number_stay_two_people() -> None:
    numbers = [phone(f"030 1234567{extension}", "DE") for extension in ("", " ext 1", " ext 01", " ext 2")]
    assert numbers == ["+49301234567", "+49301234567;ext=1", "+49301234567;ext=01", "+49301234567;ext=2"]


@pytest.mark.parametrize(
    "written", ["０３０ １２３４５６７", "030–1234567", "'030 1234567'", "tel:030-1234567", "(030) 1234567"]
)
def test_a_phone_number_has_one_spelling_however_it_is_typed(written: str) -> None:
    assert phone(written, "DE") == "+49301234567"


@pytest.mark.parametrize("name", sorted(NORMALISERS))
def test_normalising_every_single_character_is_idempotent_and_stays_composed(name: str) -> None:
    normaliser = NORMALISERS[name]
    for code in range(0x20000):
        once = normaliser(f"x{chr(code)}y", "")
        assert normaliser(once, "") == once, hex(code)
        assert name == "none" or unicodedata.is_normalized("NFC", once), hex(code)


SPECIAL = st.sampled_from(
    [
        *INVISIBLES,
        *CONTROLS[::7],
        *"<>\"'`“”@.+;= ()０９＠．İΣςß",
        "\u0308",
        "mailto:",
        "tel:",
        ";ext=",
        "ext",
    ]
)
ANY_TEXT = st.text(max_size=40) | st.lists(SPECIAL | st.text(max_size=3), max_size=12).map("".join)
SURROGATES = st.text(st.characters(), max_size=10)


@pytest.mark.parametrize("region", ["", "DE", "US"])
@pytest.mark.parametrize("name", sorted(NORMALISERS))
@given(value=ANY_TEXT | SURROGATES)
@example(value="0" * 300)
@example(value="+49" + "1" * 300 + ";ext=" + "9" * 300)
@example(value="A \u0300")
@example(value="<" * 100 + "@" + ">" * 100)
def test_every_normaliser_takes_any_text_and_is_idempotent(name: str, region: str, value: str) -> None:
    once = NORMALISERS[name](value, region)
    assert NORMALISERS[name](once, region) == once
    once.encode()  # no half surrogates are left


READABLE = IdentityPolicy.parse(
    "[types.email]\nnormaliser='email'\npseudonymise=false\n[types.lower]\nnormaliser='lower'\n"
    "[types.phone]\nnormaliser='phone'\npseudonymise=false\n",
    b"", "k1",
)  # fmt: skip


@given(value=ANY_TEXT, kind=st.sampled_from(["email", "phone", "lower", "opaque"]))
@example(value="ü" * 190 + "@a.de", kind="email")
@example(value="x@" + "ü" * 60 + "." + "ü" * 60 + "." + "ü" * 60, kind="email")
@example(value="İ" * 200, kind="lower")
@example(value="\ufb2c" * 200, kind="lower")
def test_what_is_prepared_keeps_the_limit_and_prepares_to_itself(value: str, kind: str) -> None:
    once = READABLE.usable([{"type": kind, "value": value}])
    assert READABLE.usable(once) == once
    assert all(len(one["value"]) <= MAX_IDENTIFIER_CHARACTERS for one in once)


def test_a_pseudonym_is_left_alone_whoever_made_it() -> None:
    built_in = load("", b"k" * 32, "k2")
    other = [{"type": "email", "value": "hmac:k1:" + "0" * 32}]
    assert built_in.usable(other) == other  # type: ignore[arg-type]
