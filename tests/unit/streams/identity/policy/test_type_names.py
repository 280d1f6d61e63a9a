"""An identifier type has one name, however a source spells it, so it has the rules of that type in every reader."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import SettingsError
from schemas.records import Identifier
from streams.identity.policy.load import load
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
              "Email Address", "e_mail_address", "\uff25\uff4d\uff41\uff49\uff4c", "e\u200bmail", "user-email"),
    "phone": ("phone", "Phone", "tel", "Telephone", "mobile", "Mobile-Phone", "MSISDN", "phone number"),
    "customer_id": ("customer_id", "Customer ID", "customer-id", "customerId", "CUSTOMER__ID"),
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


@given(st.text("aeilm\uff25 -_\u200b", min_size=1, max_size=8))
def test_the_name_of_a_name_is_that_name(written: str) -> None:
    assert POLICY.type_name(POLICY.type_name(written)) == POLICY.type_name(written)


def test_preparing_what_is_prepared_changes_nothing() -> None:
    once = POLICY.usable(one("E-Mail", "ann@shop.de"))
    assert POLICY.usable(once) == once


def laid_over(text: str) -> IdentityPolicy:
    base = "[types.email]\nunique = true\n[types.phone]\n[aliases]\nmail = 'email'\ntel = 'phone'"
    return IdentityPolicy.parse(text, KEY, "k1", "my.toml", base)


def test_a_file_names_types_in_any_spelling_too() -> None:
    assert laid_over("[types.E-Mail]\nlimit = 3\n[types.Email]\nlimit = 4").rules["email"].limit == 4


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
        ("[aliases]\nphone = 'email'", r"types\.phone: phone is another name of email"),
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
