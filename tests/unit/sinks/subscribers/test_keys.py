"""API keys: only a key's hash is stored, and a wrong file is refused with its line."""

import pytest

from schemas.errors import SettingsError
from schemas.http.hashed_keys import hash_of
from sinks.subscribers.keys import Reader, ReaderKeys, Scope, everything, load_keys, parse_keys

H = hash_of("x")


def test_a_key_says_whose_people_it_may_see_and_what_of_them() -> None:
    text = (
        f'[keys.desk]\nsha256 = "{hash_of("one")}"\nscopes = ["read:states", "lookup:identifiers"]\n'
        f'[keys.ops]\nsha256 = "{hash_of("two")}"\ntenant = "acme"\nscopes = ["read:signals"]\n'
        "requests_per_second = 5\nstreams = 7\n"
    )
    keys = ReaderKeys(parse_keys(text, "keys.toml"))
    assert keys.find("one") == Reader("desk", "default", frozenset({Scope.STATES, Scope.IDENTIFIERS}))
    assert keys.find("two") == Reader("ops", "acme", frozenset({Scope.SIGNALS}), 5, 7)
    for wrong in ("", "three", hash_of("one"), "\ud800"):
        assert keys.find(wrong) is None


def test_an_open_service_lets_anybody_do_everything_in_one_tenant() -> None:
    keys = ReaderKeys({}, everything("shop"))
    assert keys.find("") == Reader("anyone", "shop", frozenset(Scope))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", r"must hold tables \[keys.NAME\]"),
        (f'[keys.a]\nsha256 = "{H}"', "without scopes it may do nothing"),
        (
            f'[keys.a]\nsha256 = "{H}"\nscopes = ["read:all"]',
            "line 3: keys.a.scopes: there is no scope 'read:all'",
        ),
        (f'[keys.a]\nsha256 = "{H}"\nscopes = [1]', "there is no scope 1"),
        (f'[keys.a]\nsha256 = "{H}"\nscopes = "read:states"', "line 3: keys.a.scopes: it has the wrong type"),
        (f'[keys.a]\nsha256 = "{H}"\nscopes = ["read:states"]\ntenant = "a/b"', "line 4: keys.a.tenant"),
        (f'[keys.a]\nsha256 = "{H}"\nscopes = ["read:states"]\nrequests_per_second = 0', "above 0"),
        (f'[keys.a]\nsha256 = "{H}"\nscopes = ["read:states"]\nstreams = 0', "keys.a.streams: it must be 1"),
        ('[keys.a]\nsha256 = "no"\nscopes = ["read:states"]', "`touchline serve --new-key NAME` makes one"),
    ],
)
def test_a_wrong_file_is_refused_with_the_line_and_the_fix(text, says) -> None:
    with pytest.raises(SettingsError, match=says):
        parse_keys(text, "keys.toml")


def test_a_file_that_is_not_there_is_named_with_its_setting() -> None:
    with pytest.raises(SettingsError, match="TOUCHLINE_SUBSCRIBER_KEYS"):
        load_keys("/nowhere/keys.toml")
