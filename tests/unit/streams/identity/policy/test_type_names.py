"""An identifier type has one name, however a source spells it, so it has the rules of that type in every reader."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import SettingsError
from schemas.records import Identifier
from schemas.touchpoint.names import identifier_type
from streams.identity.policy.lint import advice
from streams.identity.policy.load import BUILT_IN, load
from streams.identity.policy.policy import IdentityPolicy
from streams.identity.policy.prepare import prepare
from streams.journeys.rules.rules import JourneyRules
from streams.replay import Replay
from tests.support.built_in import CATALOGUE
from tests.support.touchpoints import touchpoint

KEY = b"0123456789abcdef0123456789abcdef"
POLICY = load("", KEY, "k1")
RULES = JourneyRules.load()

#: Spellings of one type, by the name under which it is stored.
SPELLINGS = {
    "email": ("email", "Email", "EMAIL", " email ", "e-mail", "E-Mail", "e mail", "mail", "emailAddress",
              "emails", "E-Mails", "eMail", "EMail", "e.mail", "e/mail", "userEmail", "user.email", "customerEmail",
              "mailAddress", "email_addr", "contactEmail", "emailAddresses", "Email Address", "e_mail_address",
              "\uff25\uff4d\uff41\uff49\uff4c", "e\u200bmail", "user-email"),
    "phone": ("phone", "Phone", "tel", "Telephone", "mobile", "Mobile-Phone", "MSISDN", "phone number",
              "mobilePhone", "mobileNumber", "telephoneNumber", "WhatsApp", "MSISDNs", "phone.number", "phones"),
    "customer_id": ("customer_id", "Customer ID", "customer-id", "customerId", "CUSTOMER__ID", "customerID",
                    "customerIDs", "customer.id", "customerid"),
}  # fmt: skip
VALUES = {"email": "Ann@Shop.de", "phone": "+49 30 1234567", "customer_id": "C1"}
every_spelling = pytest.mark.parametrize(
    ("name", "written"), [(name, written) for name, spelled in SPELLINGS.items() for written in spelled]
)


def one(kind: str, value: str) -> list[Identifier]:
    return [Identifier(type=kind, value=value)]


@every_spelling
def test_a_type_is_stored_under_the_policys_name_with_its_rules(name: str, written: str) -> None:
    assert POLICY.usable(one(written, VALUES[name])) == POLICY.usable(one(name, VALUES[name]))
    assert POLICY.usable(one(written, VALUES[name]))[0]["type"] == name


@every_spelling
def test_no_spelling_stores_personal_data_in_clear(name: str, written: str) -> None:
    (stored,) = POLICY.usable(one(written, VALUES[name]))
    assert stored["value"].startswith("hmac:k1:") == POLICY.rules[name].pseudonymise


def test_two_spellings_in_one_touchpoint_are_one_identifier() -> None:
    ids = [
        ("Email", "ann@shop.de"),
        ("e-mail", "ANN@shop.de"),
        ("mail", "mailto:ann@shop.de"),
        ("cookie", "a"),
    ]
    _, stored = prepare(touchpoint(ids=ids), POLICY, CATALOGUE)
    assert [identifier["type"] for identifier in stored["identifiers"]] == ["email", "cookie"]


spelled = st.sampled_from(SPELLINGS["email"])
people = st.lists(
    st.tuples(spelled, st.sampled_from(["a@shop.de", "b@shop.de"]), st.sampled_from(["c1", "c2", "c3"])),
    min_size=1, max_size=6,
)  # fmt: skip


@given(people)
def test_who_is_one_person_does_not_depend_on_the_spelling(found: list[tuple[str, str, str]]) -> None:
    def owners(*, as_written: bool) -> list[str]:
        replay = Replay(POLICY, CATALOGUE, RULES)
        for number, (written, address, cookie) in enumerate(found):
            kind = written if as_written else "email"
            replay.add(touchpoint(event_id=f"e{number}", ids=[(kind, address), ("cookie", cookie)]))
        return [owned.profile_id for owned in replay.owned()]

    assert owners(as_written=True) == owners(as_written=False)


KNOWN = st.sampled_from(sorted(POLICY.rules | POLICY.aliases))
BREAKS = st.sampled_from(["", "_", "__", "-", " ", ".", "/", "\u2013", "\u00a0"])
CASES = st.sampled_from([str, str.lower, str.upper, str.capitalize, str.title])


@st.composite
def respelled(draw: st.DrawFn) -> tuple[str, str]:
    """A name that the policy knows, and a spelling of it: words broken or joined, in any case, one or several."""
    name = draw(KNOWN)
    words = [draw(CASES)(word) for word in name.split("_")]
    text = words[0] + "".join(draw(BREAKS) + word for word in words[1:])
    plural = "es" if name.endswith("s") else "s"
    return name, text + draw(st.sampled_from(["", plural, plural.upper()]))


@given(respelled())
def test_no_spelling_of_a_known_name_is_stored_under_another_type(found: tuple[str, str]) -> None:
    name, written = found
    assert POLICY.type_name(written) == POLICY.type_name(name)


@pytest.mark.parametrize("name", sorted(POLICY.rules))
def test_a_built_in_type_keeps_its_name(name: str) -> None:
    assert POLICY.type_name(name) == identifier_type(name) == name


@given(st.text("aeilmsUIDE\uff25 -_./\u200b", min_size=1, max_size=8))
def test_the_name_of_a_name_is_that_name(written: str) -> None:
    assert POLICY.type_name(POLICY.type_name(written)) == POLICY.type_name(written)


def test_preparing_what_is_prepared_changes_nothing() -> None:
    once = POLICY.usable(one("E-Mail", "ann@shop.de"))
    assert POLICY.usable(once) == once


def laid_over(text: str) -> IdentityPolicy:
    base = "[types.email]\nunique = true\n[types.phone]\n[aliases]\nmail = 'email'\ntel = 'phone'"
    return IdentityPolicy.parse(text, KEY, "k1", "my.toml", base)


def test_a_file_names_types_in_any_spelling_too() -> None:
    assert laid_over("[types.E-Mail]\nlimit = 4").rules["email"].limit == 4


def test_a_file_adds_an_alias_and_ends_one() -> None:
    policy = laid_over("[types.post]\n[aliases]\nMail = ''\n'e-post' = 'Email'")
    assert [policy.type_name(name) for name in ("mail", "E-Post", "tel")] == ["mail", "email", "phone"]


def test_a_tenant_may_have_an_alias_of_its_own() -> None:
    policy = laid_over("[tenants.bank.types.iban]\npriority = 3\n[tenants.bank.aliases]\nkonto = 'iban'")
    assert policy.for_tenant("bank").type_name("Konto") == "iban"
    assert policy.for_tenant("shop").type_name("Konto") == "konto"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "[types.Mail]\nlimit = 3",
            r"line 1: types\.Mail: Mail is another name of email: write \[types\.email\]",
        ),
        ("[aliases]\ntelly = 'tv'", r"line 2: aliases\.telly: write the name of a type with a table"),
        ("[aliases]\ntelly = 3", r"line 2: aliases\.telly: write the name of a type with a table"),
        ("[aliases]\n'a:b' = 'email'", r"a type's name may hold"),
        (
            "[aliases]\nphone = 'email'",
            r"line 2: aliases\.phone: it is a spelling of phone, a type with a table",
        ),
        (
            "[types.x]\n[aliases]\n'E-Mail' = 'x'",
            r"line 3: aliases\.E-Mail: it is a spelling of email, a type",
        ),
        ("[aliases]\nemail = ''", r"line 2: aliases\.email: it is no alias, so there is none to end"),
        ("[aliases]\nkonto = ''", r"line 2: aliases\.konto: it is no alias, so there is none to end"),
        ("[tenants.bank.aliases]\nkonto = ''", r"tenants\.bank\.aliases\.konto: it is no alias"),
        (
            "[aliases]\nuserMail = 'email'\nuser_mail = 'phone'",
            r"user_mail: it is 'userMail' again, which leads",
        ),
        ("[types.loyaltyCard]\n[types.'loyalty.card']", r"types\.loyalty\.card: it is 'loyaltyCard' again"),
        ("[types.iban]\n[types.IBAN]", r"line 2: types\.IBAN: it is 'iban' again: remove one"),
    ],
)
def test_a_wrong_alias_is_refused_with_the_line_and_the_fix(text: str, sentence: str) -> None:
    with pytest.raises(SettingsError, match=sentence):
        laid_over(text)


def test_an_alias_that_became_a_type_of_its_own_is_one() -> None:
    policy = laid_over("[types.mail]\nlimit = 3\n[aliases]\nmail = ''")
    assert policy.usable(one("Mail", "x"))[0]["type"] == "mail"


def test_every_built_in_alias_leads_to_a_type_with_rules() -> None:
    assert set(POLICY.aliases.values()) <= POLICY.rules.keys()
    assert POLICY.aliases.keys().isdisjoint(POLICY.rules)


@pytest.mark.parametrize(
    ("text", "remark"),
    [
        ("[types.x]\n[aliases]\nMail = 'x'", "mail was another name of email"),
        ("[aliases]\nmail = ''", "mail was another name of email"),
        ("[types.mail]\n[aliases]\nmail = ''", "mail was another name of email"),
        (
            "[types.emails]\nlimit = 3",
            "emails is a type of its own, whose values are stored readable, and email is hidden",
        ),
        ("[tenants.bank.aliases]\nmail = 'customer_id'", "tenant bank: mail was another name of email"),
    ],
)
def test_a_name_that_no_longer_hides_its_values_gets_a_remark(text: str, remark: str) -> None:
    assert any(said.startswith(remark) for said in advice(load_text(text)))


@pytest.mark.parametrize(
    "text",
    [
        "[aliases]\nmail = 'phone'",
        "[types.x]\npseudonymise = true\n[aliases]\nmail = 'x'",
        "[types.x]\n[aliases]\ncookie_id = 'x'",
        "[types.news]\n[types.new]",
        "[aliases]\n'e-mail' = 'email'",
    ],
)
def test_a_name_whose_values_stay_as_hidden_as_they_were_gets_none(text: str) -> None:
    assert list(advice(load_text(text))) == list(advice(POLICY))


def load_text(text: str) -> IdentityPolicy:
    return IdentityPolicy.parse(text, KEY, "k1", "my.toml", BUILT_IN.read_text(encoding="utf-8"))
