"""Preparing identifiers, and what the policy says to somebody who writes it wrongly."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import SettingsError
from schemas.records import Identifier
from streams.identity.policy.lint import advice
from streams.identity.policy.load import load
from streams.identity.policy.normalise import NORMALISERS
from streams.identity.policy.policy import IdentityPolicy
from streams.identity.policy.policy_file import TypeRule
from streams.identity.policy.prepare import prepare
from streams.identity.resolution.definition import resolve
from tests.support.built_in import CATALOGUE
from tests.support.identity_people import evidence_map, link, observed
from tests.support.touchpoints import touchpoint

KEY = b"0123456789abcdef0123456789abcdef"
BUILT_IN = load("", KEY, "k1")
PLAIN = """
[phone]
default_region = "DE"
[types.email]
priority = 20
normaliser = "email"
pseudonymise = false
[types.phone]
priority = 30
normaliser = "phone"
pseudonymise = false
[types.device]
normaliser = "lower"
"""


def parse(text: str, secret: bytes = b"") -> IdentityPolicy:
    return IdentityPolicy.parse(text, secret, "k1", "my.toml")


def identifiers(*texts: str) -> list[Identifier]:
    return [Identifier(type=type_, value=value) for type_, value in (text.split(":", 1) for text in texts)]


def prepared(text: str) -> str:
    (identifier,) = parse(PLAIN).usable(identifiers(text))
    return identifier["value"]


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        ("email:  Ann@Shop.DE ", "ann@shop.de"),
        ("email:Ann@Bücher.de", "ann@xn--bcher-kva.de"),
        ("email:ann@BÜCHER.de", "ann@xn--bcher-kva.de"),
        ("email:not an address", "not an address"),
        ("email:ann@.ü..", "ann@.ü.."),
        ("email:Ann@Shop.de.", "ann@shop.de"),
        ("email:Ann@Straße.de", "ann@xn--strae-oqa.de"),
        ("email:jo\u0308rg@shop.de", "j\u00f6rg@shop.de"),
        ("email:Ann@日本。テスト", "ann@xn--wgv71a.xn--zckzah"),
        ("phone:030 / 1234567", "+49301234567"),
        ("phone:+49 (0)30 1234567", "+49301234567"),
        ("phone:0049 30 1234567", "+49301234567"),
        ("phone:+1 650-253-0000", "+16502530000"),
        ("phone:Call Me", "callme"),
        ("device:ABC-1", "abc-1"),
        ("cookie: aB\x1fc\x00 ", "aB\ufffdc"),
    ],
)
def test_a_value_gets_one_spelling(raw, value):
    assert prepared(raw) == value


def test_a_number_without_country_keeps_its_digits_when_the_policy_names_no_region():
    policy = parse("[types.phone]\nnormaliser = 'phone'\npseudonymise = false")
    assert policy.usable(identifiers("phone:(030) 123-4567")) == identifiers("phone:0301234567")


def test_the_strongest_identifier_comes_first_and_repetitions_go():
    raw = identifiers("cookie:z", "device_id:D", "customer_id:7", "device_id:d", "cookie:a", "unnamed:u")
    assert BUILT_IN.usable(raw) == identifiers(
        "customer_id:7", "unnamed:u", "device_id:d", "cookie:a", "cookie:z"
    )


@pytest.mark.parametrize(
    "blocked",
    [
        *(
            "cookie:null",
            "cookie:NULL",
            "cookie:",
            "cookie:   ",
            "cookie:\x00",
            "cookie:undefined",
            "cookie:NaN",
        ),
        *(
            "user_id:0",
            "user_id:-1",
            "user_id:anonymous",
            "user_id:Guest",
            "customer_id:unknown",
            "customer_id:n/a",
            "customer_id:Not Provided",
            r"customer_id:\N",
        ),
        *("ad_id:00000000-0000-0000-0000-000000000000", "phone:+00 000 000", "phone:(000) 000-0000"),
        *(
            "email:anonymous@shop.de",
            "email: TEST@shop.de",
            "email:no-reply@shop.de",
            "email:noreply@shop.de",
            "email:Ann@localhost",
            "email:xxxx@shop.de",
        ),
    ],
)
def test_values_that_stand_for_nobody_are_blocked(blocked):
    (identifier,) = identifiers(blocked)
    assert BUILT_IN.blocked(identifier)
    assert BUILT_IN.usable([identifier]) == []


@pytest.mark.parametrize(
    "usable", ["user_id:10", "email:tess@shop.de", "email:ann@example.com", "cookie:0a", "phone:100"]
)
def test_values_that_stand_for_somebody_are_not(usable):
    assert not BUILT_IN.blocked(identifiers(usable)[0])


def test_a_policy_extends_the_blocked_values_or_starts_afresh():
    own = '[blocked]\nvalues = ["Walk-In"]\npatterns = ["kiosk-[0-9]+"]\n'
    raw = identifiers("cookie:walk-in", "cookie:KIOSK-7", "cookie:null", "cookie:kiosk-7a")
    assert parse(own).usable(raw) == identifiers("cookie:kiosk-7a")
    assert parse(own + "defaults = false").usable(raw) == identifiers("cookie:kiosk-7a", "cookie:null")


def test_pseudonyms_hide_the_value_name_the_key_and_differ_by_type_and_key():
    text = "[types.a]\npseudonymise = true\n[types.b]\npseudonymise = true"
    values = {
        policy.usable(identifiers(f"{type_}:ann"))[0]["value"]
        for policy in (parse(text, KEY), parse(text, KEY[::-1]))
        for type_ in "ab"
    }
    assert len(values) == 4
    assert all(re.fullmatch(r"hmac:k1:[0-9a-f]{32}", value) for value in values)


def test_a_pseudonym_never_changes_between_releases():
    assert BUILT_IN.usable(identifiers("email:Ann@Shop.de")) == identifiers(
        "email:hmac:k1:1dfc882cfc96af89caac3278fee1d6ef"
    )


def test_one_person_typed_twice_gets_one_pseudonym():
    assert len(BUILT_IN.usable(identifiers("email:Ann@Shop.de", "email: ann@shop.DE"))) == 1


values = st.text(max_size=30) | st.emails() | st.from_regex(r"\+?[0-9 ()/.-]{3,18}", fullmatch=True)
raw_identifiers = st.lists(
    st.builds(
        Identifier, type=st.sampled_from(["email", "phone", "device", "cookie", "customer_id"]), value=values
    ),
    max_size=5,
)


@given(raw_identifiers)
def test_preparing_twice_changes_nothing(raw):
    for policy in (BUILT_IN, parse(PLAIN)):
        once = policy.usable(raw)
        assert policy.usable(once) == once


def test_a_type_that_the_policy_does_not_name_has_priority_50_and_no_rules():
    assert BUILT_IN.rule("whatever") == TypeRule(50, "none", pseudonymise=False, unique=False, limit=None)


def test_the_built_in_policy_protects_emails_and_phones_and_keeps_customers_apart():
    assert BUILT_IN.rule("email").pseudonymise
    assert BUILT_IN.rule("phone").pseudonymise
    assert BUILT_IN.rule("customer_id").unique
    assert (
        BUILT_IN.rule("cookie").priority
        > BUILT_IN.rule("device_id").priority
        > BUILT_IN.rule("email").priority
    )


def test_emails_and_phones_are_pseudonymised_unless_the_policy_says_otherwise():
    assert parse("[types.inbox]\nnormaliser = 'email'", KEY).rule("inbox").pseudonymise
    assert not parse("[types.device]\nnormaliser = 'lower'").rule("device").pseudonymise


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[types.email\n", r"my\.toml is not TOML: .*line 1"),
        (
            "\n[types.email]\nnormaliser = 'mail'",
            r"my\.toml, line 3: types\.email\.normaliser: write one of email, phone",
        ),
        ("[types.email]\nnormaliser = ['email']", r"line 2.*write one of"),
        ("[types.a]\npriority = 'high'", r"line 2: types\.a\.priority: write a whole number from 0 to 1000"),
        ("[types.a]\nlimit = 0", r"line 2: types\.a\.limit: write a whole number from 1"),
        ("[types.a]\nlimit = true", r"types\.a\.limit: write a whole number"),
        ("[types.a]\nunique = 1", r"types\.a\.unique: write true or false"),
        ("[types.a]\nuniqe = true", r"line 2: types\.a\.uniqe: unknown; write one of priority"),
        ("[types]\na = 1", r"types\.a: not a table: write \[types\.a\]"),
        ("types = 1", r"types: not a table: write \[types\]"),
        ("[types.'a:b']\nlimit = 1", r"a type's name may hold"),
        (
            "[types.a]\nlimit = 2\n[tenants.bank.types.b]\n[tenants.bank.types.a]\nunique = true\nlimit = 0",
            r"line 6: tenants\.bank\.types\.a\.limit: write a whole number from 1",
        ),
        ("[tenants]\nbank = 1", r"line 2: tenants\.bank: not a table: write \[tenants\.bank\]"),
        ("[tenants.'a/b']\n", r"line 1: tenants\.a/b: a tenant's name may hold"),
        (
            "[tenants.bank]\n\ntypes.a = { uniqe = true }",
            r"line 3: tenants\.bank\.types\.a\.uniqe: unknown; write",
        ),
        (
            "[tenants.bank.tenants.x]\n",
            r"tenants\.bank\.tenants: unknown; write one of phone, types, aliases, blocked",
        ),
        (
            "[tenants.bank.phone]\ndefault_region = 'XX'",
            r"line 2: tenants\.bank\.phone\.default_region: write",
        ),
        (
            "[blocked]\npatterns = ['ok']\n[tenants.bank.blocked]\npatterns = ['.*']",
            r"line 4: tenants\.bank\.blocked\.patterns: '\.\*' would block every value",
        ),
        (
            "[tenants.bank.types.email]\nnormaliser = 'email'",
            r"line 1: tenants\.bank\.types\.email: pseudonymised",
        ),
        (
            "[phone]\ndefault_region = 'Germany'",
            r'line 2: phone\.default_region: write a country of ISO 3166 like "DE"',
        ),
        ("[blocked]\npatterns = ['(']", r"line 2: blocked\.patterns: '\(' is not a regular expression"),
        ("[blocked]\nvalues = 'x'", r"blocked\.values: write a list of texts"),
        (
            "[identity]\n",
            r"line 1: identity: unknown; write one of phone, types, aliases, blocked, limits, tenants",
        ),
    ],
)
def test_a_wrong_policy_is_refused_with_the_line_and_the_fix(text, says):
    with pytest.raises(SettingsError, match=says):
        parse(text)


def test_a_policy_that_needs_a_key_and_has_none_says_how_to_make_one():
    with pytest.raises(SettingsError, match=r"types\.email: .*TOUCHLINE_PSEUDONYM_KEY.*openssl rand -hex 32"):
        load("", b"", "k1")


def test_a_key_id_that_would_break_pseudonyms_is_refused():
    with pytest.raises(SettingsError, match="TOUCHLINE_PSEUDONYM_KEY_ID"):
        load("", KEY, "k:1")


def test_a_policy_file_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(SettingsError, match="missing"):
        load(str(tmp_path / "missing.toml"), KEY, "k1")


def laid_over(tmp_path, text: str, secret: bytes = KEY) -> IdentityPolicy:
    path = tmp_path / "identity.toml"
    path.write_text(text)
    return load(str(path), secret, "k1")


def test_a_policy_file_is_laid_over_the_built_in_one_setting_by_setting(tmp_path):
    policy = laid_over(
        tmp_path, "[types.badge]\npriority = 5\n[types.customer_id]\nlimit = 3\n[types.email]\nlimit = 2"
    )
    assert policy.rule("badge").priority == 5
    assert policy.rule("customer_id") == TypeRule(10, unique=True, limit=3)
    assert policy.rule("email") == TypeRule(20, "email", pseudonymise=True, limit=2)
    assert policy.rule("phone") == BUILT_IN.rule("phone")
    assert set(policy.rules) == {*BUILT_IN.rules, "badge"}


def test_an_empty_policy_file_says_what_the_built_in_one_says(tmp_path):
    assert laid_over(tmp_path, "").rules == BUILT_IN.rules


def test_what_a_policy_file_blocks_is_blocked_besides_the_built_in_list(tmp_path):
    raw = identifiers("cookie:till", "cookie:null", "cookie:a")
    assert laid_over(tmp_path, "[blocked]\nvalues = ['till']").usable(raw) == identifiers("cookie:a")


def test_a_policy_file_that_only_orders_customers_still_hides_addresses_and_needs_the_key(tmp_path):
    text = "[types.customer_id]\npriority = 1"
    (stored,) = laid_over(tmp_path, text).usable(identifiers("email:ann@shop.de"))
    assert stored["value"].startswith("hmac:k1:")
    with pytest.raises(SettingsError, match=r"identity\.toml, line 1: types\.email: pseudonymised"):
        laid_over(tmp_path, text, b"")


@pytest.mark.parametrize(
    "text",
    [
        "[types.email]\nnormaliser = 'lower'",
        "[types.email]\nnormaliser = 'none'",
        "[tenants.bank.types.email]\nnormaliser = 'none'",
        "[types.inbox]\nnormaliser = 'email'\n[tenants.bank.types.inbox]\nnormaliser = 'lower'",
        "[types.iban]\npseudonymise = true\n[tenants.bank.types.iban]\npriority = 3",
    ],
)
def test_no_type_is_made_readable_but_by_a_line_that_says_so(tmp_path, text):
    policy = laid_over(tmp_path, text)
    for one in (policy, policy.for_tenant("bank")):
        assert all(
            one.rule(name).pseudonymise
            for name in {"email", "phone", *one.rules} & {"email", "phone", "inbox", "iban"}
        )
        assert not one.readable


@pytest.mark.parametrize("where", ["", "tenants.bank."])
def test_a_type_that_is_made_readable_is_remarked_on(tmp_path, where):
    for text in ("pseudonymise = false", "normaliser = 'lower'\npseudonymise = false"):
        policy = laid_over(tmp_path, f"[{where}types.email]\n{text}")
        assert not policy.for_tenant("bank").rule("email").pseudonymise
        remarks = [remark for remark in advice(policy) if "email is stored readable" in remark]
        assert len(remarks) == 1
        assert "pseudonymise = false" in remarks[0]


def test_the_check_value_tells_keys_apart_and_is_no_pseudonym():
    one, same, other = load("", KEY, "k1"), load("", KEY, "k1"), load("", KEY[::-1], "k1")
    assert one.key_check() == same.key_check()
    assert one.key_check() != other.key_check()
    assert one.key_check() != load("", KEY, "k2").key_check()
    assert parse("[types.email]\nnormaliser = 'lower'", KEY).key_check() is None
    assert parse("[tenants.bank.types.email]\nnormaliser = 'email'", KEY).key_check() is not None
    key_id, value = one.key_check()
    assert key_id == "k1"
    assert KEY.decode() not in value


TENANTS = """
[phone]
default_region = "DE"
[types.email]
priority = 20
normaliser = "email"
pseudonymise = false
limit = 9
[types.phone]
normaliser = "phone"
pseudonymise = false
[blocked]
values = ["walk-in"]
[tenants.bank.phone]
default_region = "CH"
[tenants.bank.types.email]
unique = true
[tenants.bank.types.iban]
priority = 14
[tenants.bank.blocked]
values = ["till"]
[tenants.raw.blocked]
defaults = false
"""


def test_a_tenant_replaces_single_settings_and_keeps_the_others():
    policy = parse(TENANTS)
    bank = policy.for_tenant("bank")
    assert bank.rule("email") == TypeRule(20, "email", pseudonymise=False, unique=True, limit=9)
    assert bank.rule("iban").priority == 14
    assert policy.rule("email") == TypeRule(20, "email", pseudonymise=False, unique=False, limit=9)
    assert policy.rule("iban") == TypeRule()
    phone = identifiers("phone:044 668 18 00")
    assert bank.usable(phone) == identifiers("phone:+41446681800")
    assert policy.usable(phone) == identifiers("phone:+49446681800")


def test_a_tenants_blocked_values_are_blocked_besides_the_general_ones():
    policy = parse(TENANTS)
    raw = identifiers("cookie:Till", "cookie:Walk-In", "cookie:null")
    assert policy.for_tenant("bank").usable(raw) == []
    assert policy.usable(raw) == identifiers("cookie:Till")
    assert policy.for_tenant("raw").usable(raw) == identifiers("cookie:Till", "cookie:null")


def test_a_tenant_without_rules_of_its_own_has_the_general_ones():
    policy = parse(TENANTS)
    assert policy.for_tenant("shop") is policy
    assert policy.for_tenant("bank").for_tenant("bank") is policy.for_tenant("bank")


def test_a_touchpoint_is_prepared_by_the_rules_of_its_tenant():
    policy = parse("[tenants.bank.types.cookie]\npriority = 1")
    ids = [("cookie", "c"), ("account", "a")]
    owners = {
        tenant: prepare(touchpoint(tenant=tenant, ids=ids), policy, CATALOGUE)[0]
        for tenant in ("bank", "shop")
    }
    assert owners == {"bank": {"type": "cookie", "value": "c"}, "shop": {"type": "account", "value": "a"}}


def test_links_are_decided_by_the_rules_of_their_tenant():
    policy = parse("[tenants.bank.types.email]\nunique = true")
    links = [link("cookie:c", "email:a", 1), link("cookie:c", "email:b", 2)]
    for tenant, refused in (("bank", ["unique:email"]), ("shop", [])):
        assert list(observed(links, policy, tenant).refused().values()) == refused
        assert list(resolve(tenant, policy, evidence_map(links)).refused.values()) == refused


def test_the_memory_of_prepared_identifiers_is_bounded(monkeypatch: pytest.MonkeyPatch):
    policy, normalised = parse(""), []
    name = policy.rule("cookie").normaliser
    plain = NORMALISERS[name]

    def noted(value: str, region: str | None) -> str:
        normalised.append(value)
        return plain(value, region)

    monkeypatch.setitem(NORMALISERS, name, noted)
    for number in (1, 1, *range(2, 70_000), 1):
        assert policy.usable(identifiers(f"cookie:{number}")) == identifiers(f"cookie:{number}")
    # remembered at first, and forgotten for 65,536 newer ones
    assert (normalised.count("1"), len(normalised)) == (2, 70_000)
