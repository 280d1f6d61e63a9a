"""Values that stand for nobody, and beside each entry a plausible value that stands for somebody."""
# ruff: noqa: RUF001, E501 (characters that look alike are the point; a row stays one line)

import pytest

from schemas.errors import ContractError, Reason
from streams.identity.policy.blocked import DEFAULT_PATTERNS, DEFAULT_VALUES
from streams.identity.policy.load import load
from streams.identity.policy.policy import IdentityPolicy
from streams.identity.policy.prepare import REFERENCES, prepare
from tests.support.built_in import CATALOGUE
from tests.support.touchpoints import touchpoint

BUILT_IN = load("", b"k" * 32, "k1")
OWN_ONLY = IdentityPolicy.parse("[blocked]\ndefaults = false\nvalues = ['till']", b"", "k1")

#: Entry of DEFAULT_VALUES → a value that looks like it and stands for somebody.
REAL = {
    "null": "null7", "(null)": "(null) island", r"\n": r"\n1", "none": "nonette", "nil": "nils",
    "undefined": "undefined-fashion", "nan": "nana", "void": "voidt", "n/a": "n/a-17", "n.a.": "n.a.meier",
    "#n/a": "#n/a12", "na": "nadia", "empty": "empty-cart-2026", "blank": "blanka", "[object object]": "object-7",
    "not_set": "not_settled", "not set": "not settled", "not-set": "not-settled", "unset": "unseth",
    "unknown": "unknown-pleasures", "unspecified": "unspecified-7", "missing": "missingham",
    "not available": "not available in stores", "not applicable": "not applicable-2", "not provided": "not provided 7",
    "not given": "not givens", "not found": "not foundry", "deleted": "deleted-scenes", "redacted": "redacted-3",
    "anonymous": "anonymous-coffee", "anonymous user": "anonymous user 17", "anon": "anonda", "guest": "guesthouse-7",
    "guest user": "guest user 4711", "visitor": "visitor-4711", "nobody": "nobody-knows", "noone": "noonan",
    "no one": "no one like you", "distinct_id": "distinct_id-9", "distinctid": "distinctid7",
    "not_authenticated": "not_authenticated_7", "test": "testa", "tester": "testera", "testing": "testing-2026",
    "test user": "test user 42", "testuser": "testuser42", "dummy": "dummyman", "fake": "faken", "example": "example-7",
    "placeholder": "placeholder-7", "true": "trueman", "false": "falsetti", "yes": "yes-we-can", "no": "noa",
    "0": "10", "-1": "-12",
}  # fmt: skip

#: Entry of DEFAULT_PATTERNS → what it blocks, and what looks like it and stands for somebody.
PATTERNS = {
    "all-zero numbers, UUIDs and advertising ids": (
        ["000", "00000000-0000-0000-0000-000000000000", "{00000000-0000-0000-0000-000000000000}", "(000)"],
        ["00000000-0000-0000-0000-000000000001", "0049301234567", "007", "0a"],
    ),
    "the largest UUID and the broadcast address": (
        ["ffffffff-ffff-ffff-ffff-ffffffffffff", "FF:FF:FF:FF:FF:FF", "ff-ff-ff-ff-ff-ff"],
        ["ffffffff-ffff-4fff-bfff-fffffffffffe", "ff:ff:ff:ff:ff:fe", "ffffffff"],
    ),
    "the address that Android and iOS give instead of the device's own": (
        ["02:00:00:00:00:00", "02-00-00-00-00-00"],
        ["02:00:4c:4f:4f:50", "020000000000", "02:00:00:00:00:01"],
    ),
    "punctuation only": (
        ["-", "---------", "—", "–—", "?", "...", "_", "*****", "()", "[]", "{}", "<>", "''", "\"\"", "/", "#", "·"],
        ["-7", "a_", "*1", "K.", "🎄", "№5", "東"],
    ),
    "characters that could not be read": (["\ufffd", "\ufffd\ufffd"], ["M\ufffdller", "12\ufffd34"]),
    "crossed out": (["xxx", "XXXXXXXX"], ["xx", "xxxl", "xxx-large"]),
    "a template that nobody filled in": (
        ["{{user_id}}", "{{ user.id }}", "${user_id}", "#{id}", "{idfa}", "{user.id}", "%%ID%%", "%ID%", "__IDFA__",
         "__CAMPAIGN_ID__", "<user_id>", "<%= id %>", "*|EMAIL|*", "[[uid]]", "user-{{id}}", "{{name}}@shop.de"],
        ["{8C2FD1B0-4E1A-4F4C-9D53-7D0B8E1A2C43}", "{ac2fd1b04e1a4f4c9d537d0b8e1a2c43}", "{ABCD1234-0000-0000}", "100%",
         "50%-off-20%", "a{b}c", "[sale]", "__x1__", "$100", "user_id", "<7>", "2*|x"],
    ),
    "an address of nobody": (
        ["null@shop.de", "test@shop.de", "no-reply@shop.de", "xxxx@shop.de", "test_user@shop.de"],
        ["tess@shop.de", "testa@shop.de", "nadia@shop.de", "reply@shop.de", "guesthouse@shop.de", "ann.test@shop.de"],
    ),
    "what clerks type instead of an address": (
        ["a@a.com", "aa@aa.de", "xxx@xxx.com", "1@1.com", "asdf@asdf.de", "qwerty@qwerty.com", "123@123.com", "a@a.co.uk"],
        ["a@aa.com", "q@x.com", "ann@ann.de", "info@info.de", "aa@a.org", "abc@abcd.com", "ab@ab.de", "1234@123.com"],
    ),
    "domains that cannot receive mail (RFC 2606), and no-mail": (
        ["ann@localhost", "ann@shop.invalid", "ann@nomail.com", "ann@no-email.de"],
        ["ann@local.host", "ann@invalid.shop.de", "ann@nomailing.com", "ann@example.com"],
    ),
}  # fmt: skip


def blocked(value: str, kind: str = "account") -> bool:
    return BUILT_IN.blocked({"type": kind, "value": value})


def test_every_entry_has_its_plausible_neighbour() -> None:
    assert set(REAL) == set(DEFAULT_VALUES)
    assert set(PATTERNS) == set(DEFAULT_PATTERNS)


@pytest.mark.parametrize("value", DEFAULT_VALUES)
def test_a_word_for_nothing_is_blocked_with_quotes_and_brackets_too(value: str) -> None:
    for written in (
        value, value.upper(), f" {value} ", f'"{value}"', f"'{value}'", f'\\"{value}\\"', f'"\\"{value}\\""', f"“{value}”",
        f"({value})", f"<{value}>", f"[{value}]", f'["{value}"]', f"\u200b{value}",
    ):  # fmt: skip
        assert blocked(written), written


@pytest.mark.parametrize("value", REAL.values())
def test_what_looks_like_a_word_for_nothing_is_somebodys(value: str) -> None:
    for written in (value, value.upper(), f'"{value}"'):
        assert not blocked(written), written
        assert not BUILT_IN.means_nothing(written), written


@pytest.mark.parametrize("name", PATTERNS)
def test_a_pattern_blocks_what_its_name_says_and_nothing_beside_it(name: str) -> None:
    nobody, somebody = PATTERNS[name]
    assert [value for value in nobody if not blocked(value)] == []
    assert [value for value in somebody if blocked(value)] == []


@pytest.mark.parametrize(
    "number",
    [
        *("+43", "0043", "(+43)", "+1", "+420", "43", "1", "+", "+43 0", "+49 (0)", "+43 000 000"),
        *(
            "+43 111 111 111",
            "0043 9999999",
            "+1 222 222 2222",
            "1111111",
            "999 999 999",
            "000",
            "(000) 000-0000",
        ),
    ],
)
def test_a_country_code_alone_or_with_zeros_or_one_digit_is_nobodys_number(number: str) -> None:
    assert blocked(number, "phone")


@pytest.mark.parametrize(
    "number",
    [
        *("+43 1 5123456", "+1 234 444 4444", "+683 4444", "+290 22222", "+49 30 555555", "+1 800 000 0001"),
        *("100", "112", "0800 0000001", "+43 1 1111", "+49 30 5555555 ext 1", "Call Me"),
    ],
)
def test_a_number_with_few_or_many_equal_digits_may_be_somebodys(number: str) -> None:
    assert not blocked(number, "phone")


@pytest.mark.parametrize(
    "words",
    ["(not set)", "not set", "(not provided)", "#N/A", "[object Object]", "Anonymous User", "a@a.com"],
)
@pytest.mark.parametrize("kind", ["phone", "customer_id"])
def test_words_for_nobody_are_blocked_as_a_phone_number_too(words: str, kind: str) -> None:
    assert blocked(words, kind)


@pytest.mark.parametrize("value", ["+43", "43", "1111111"])
def test_only_as_a_phone_number_are_few_or_equal_digits_nobodys(value: str) -> None:
    assert not blocked(value, "customer_id")


BLANK = [
    "",
    " ",
    "\t",
    "\u3000",
    "\xa0",
    "\u200b",
    "\ufeff \u2060",
    "\x00",
    "\u3164",
    "\u2800",
    "\u115f\u034f",
]


@pytest.mark.parametrize("policy", [BUILT_IN, OWN_ONLY])
@pytest.mark.parametrize("blank", BLANK)
@pytest.mark.parametrize("kind", ["customer_id", "device_id", "email", "phone"])
def test_a_blank_identifier_is_ignored_whatever_the_policy_blocks(
    policy: IdentityPolicy, blank: str, kind: str
) -> None:
    owner, stored = prepare(touchpoint(ids=[(kind, blank), ("cookie", "a")]), policy, CATALOGUE)
    assert stored["identifiers"] == [owner] == [{"type": "cookie", "value": "a"}]


def test_a_touchpoint_of_nobody_says_which_identifiers_it_had() -> None:
    with pytest.raises(ContractError, match="no identifier is usable: cookie, email") as refused:
        prepare(touchpoint(ids=[("email", " "), ("cookie", "null")]), BUILT_IN, CATALOGUE)
    assert refused.value.reason is Reason.NO_IDENTIFIER


@pytest.mark.parametrize("name", REFERENCES)
@pytest.mark.parametrize(
    "value", [*BLANK, "undefined", '"null"', "{{session}}", "---", "(not set)", "0", "NaN"]
)
def test_a_reference_that_stands_for_nothing_is_left_out(name: str, value: str) -> None:
    _, stored = prepare(touchpoint(**{name: value}), BUILT_IN, CATALOGUE)
    assert stored == touchpoint()
    assert prepare(stored, BUILT_IN, CATALOGUE)[1] is stored


@pytest.mark.parametrize("name", REFERENCES)
@pytest.mark.parametrize(
    "value", ["s-1", " s1 ", "Spring 2026", "17", "{8C2FD1B0-4E1A-4F4C-9D53-7D0B8E1A2C43}", "+43"]
)
def test_a_reference_that_stands_for_something_is_stored_as_it_is(name: str, value: str) -> None:
    given = touchpoint(**{name: value})
    assert prepare(given, BUILT_IN, CATALOGUE)[1] is given


def test_a_policy_that_switches_the_list_off_does_so_for_references_too() -> None:
    given = touchpoint(session_id="undefined", account_id="Till", issue_id=" ", campaign="null")
    stored = prepare(given, OWN_ONLY, CATALOGUE)[1]
    assert stored == touchpoint(session_id="undefined", campaign="null")


def test_a_tenants_own_blocked_values_hold_for_its_references() -> None:
    policy = IdentityPolicy.parse("[tenants.bank.blocked]\nvalues = ['branch']", b"", "k1")
    assert prepare(touchpoint(tenant="bank", account_id="Branch"), policy, CATALOGUE)[1]["account_id"] is None
    assert (
        prepare(touchpoint(tenant="shop", account_id="Branch"), policy, CATALOGUE)[1]["account_id"]
        == "Branch"
    )
