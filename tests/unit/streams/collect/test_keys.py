"""Write keys: only a key's hash is stored, and a wrong file is refused with its line."""

import pytest

from schemas.errors import SettingsError
from schemas.http.hashed_keys import hash_of
from streams.collect.keys import WriteKeys, parse_keys
from streams.collect.mapping_file import built_in
from streams.collect.messages import MessageMapping
from streams.collect.senders import Sender


def keys(text: str) -> WriteKeys:
    return WriteKeys(parse_keys(text, "keys.toml", lambda _: built_in()))


def test_a_key_is_found_by_its_hash_and_says_whose_events_come() -> None:
    found = keys(
        f'[keys.shop]\nsha256 = "{hash_of("secret-1")}"\n'
        f'[keys.crm]\nsha256 = "{hash_of("secret-2")}"\nsource = "crm-eu"\ntenant = "acme"\nchannel = "backoffice"\n'
        'events_per_second = 5\norigins = ["https://crm.example"]\n'
    )

    shop, crm = found.find("secret-1"), found.find("secret-2")
    assert shop is not None
    assert crm is not None
    assert shop.sender == Sender("shop", "default", "shop")
    assert crm.sender == Sender("crm", "acme", "crm-eu", "backoffice")
    assert (crm.events_per_second, crm.origins) == (5, ("https://crm.example",))
    assert found.find("secret-3") is None
    assert found.find("") is None
    assert found.find("\ud800") is None


def test_the_hash_of_a_key_is_no_key() -> None:
    assert keys(f'[keys.shop]\nsha256 = "{hash_of("secret")}"').find(hash_of("secret")) is None


def test_a_mapping_is_read_from_the_file_that_the_key_names() -> None:
    asked: list[str] = []

    def read(name: str) -> MessageMapping:
        asked.append(name)
        return built_in()

    parse_keys(f'[keys.a]\nsha256 = "{hash_of("a")}"\nmapping = "own.toml"', "keys.toml", read)

    assert asked == ["own.toml"]


H = hash_of("x")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", r"must hold tables \[keys.NAME\]"),
        ("x = 1", r"must hold tables \[keys.NAME\]"),
        ("keys = 1", r"must hold tables \[keys.NAME\]"),
        ("[keys.a]", "line 1: keys.a: sha256 is missing"),
        ("[keys.a]\nsha256 = 'ABC'", "64 small hexadecimal"),
        (f"[keys.a]\nsha256 = '{H}'\nsecret = 'x'", "line 3: keys.a.secret: unknown"),
        (f"[keys.a]\nsha256 = '{H}'\ntenant = 'a b'", "line 3: keys.a.tenant: use 1 to 64"),
        (f"[keys.a]\nsha256 = '{H}'\nsource = ''", "keys.a.source: use 1 to 128"),
        (f"[keys.a]\nsha256 = '{H}'\nsource = ' '", "keys.a.source: .* not spaces alone"),
        (f"[keys.a]\nsha256 = '{H}'\nsource = \"a\\u0000b\"", "keys.a.source: .* no NUL"),
        (f"[keys.a]\nsha256 = '{H}'\nchannel = \"\\u0000\"", "keys.a.channel: .* no NUL"),
        (f"[keys.a]\nsha256 = '{H}'\nevents_per_second = 0", "above 0"),
        (f"[keys.a]\nsha256 = '{H}'\nevents_per_second = true", "wrong type"),
        (f"[keys.a]\nsha256 = '{H}'\norigins = ['shop.example']", "as browsers send them"),
        (
            f"[keys.a]\nsha256 = '{H}'\n[keys.b]\nsha256 = '{H}'",
            "keys.b.sha256: another name has the same key",
        ),
    ],
)
def test_a_wrong_file_is_refused_with_its_line_and_the_fix(text: str, says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        keys(text)
