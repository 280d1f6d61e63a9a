"""webhooks.toml: what it may say, and one sentence with the line for every slip."""

from pathlib import Path

import pytest

from schemas.errors import SettingsError
from sinks.webhooks.endpoints import DAY_MS, Cap, Consent, Mail, Retries
from sinks.webhooks.endpoints_file import parse_endpoints
from sinks.webhooks.settings_file import load_endpoints
from tests.support.webhooks import SECRET

GOOD = f'[endpoints.a]\nurl = "https://x.example/"\nsignals = ["abandoned_cart"]\nsecret = "{SECRET}"\n'
MAIL = (
    '[endpoints.a]\nurl = "smtps://mail.example"\nsignals = ["*"]\n'
    'mail = { from = "a@b.example", to = ["c@d.example"] }\n'
)
OPEN_MAIL = MAIL.replace("smtps", "smtp") + "allow_private = true"


def parse(text: str):
    return parse_endpoints(text, "webhooks.toml", lambda value, _: value)


def test_an_endpoint_needs_a_url_signals_and_a_secret() -> None:
    found = parse(GOOD)["a"]
    assert (found.url, found.signals, found.retractions) == ("https://x.example/", {"abandoned_cart"}, True)
    assert (found.consent, found.cap, found.quiet, found.retries) == (None, None, None, Retries())
    assert SECRET not in repr(found)
    assert "x.example" not in repr(found)


def test_everything_that_may_be_said() -> None:
    found = parse(
        GOOD
        + 'changes = ["stage"]\nvalues = ["purchase"]\nretractions = false\ntenant = "shop"\ntemplate = "crm-note"\n'
        'headers = { Authorization = "Bearer x" }\ntimeout = 5\nconcurrency = 4\n'
        'retry = { first = "500ms", longest = "10m", give_up = "2d" }\ncap = { messages = 2, per = "7d" }\n'
        'quiet = { from = "21:00", to = "08:00", zone = "Europe/Vienna" }\n'
        'consent = { purpose = "marketing", rule = "not_withdrawn" }\n'
    )["a"]
    assert found.retries == Retries(500, 600_000, 2 * DAY_MS)
    assert found.cap == Cap(2, 7 * DAY_MS)
    assert found.consent == Consent("marketing", opt_out=True)
    assert found.quiet is not None
    assert str(found.quiet.zone) == "Europe/Vienna"
    assert found.headers == (("Authorization", "Bearer x"),)


def test_a_mail_endpoint_has_a_sender_and_recipients() -> None:
    found = parse(MAIL)["a"]
    assert found.mail == Mail("mail.example", 465, True, False, "a@b.example", ("c@d.example",))
    assert found.template == "mail"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "must hold tables"),
        ("[other]", "must hold tables"),
        ("[endpoints]\na = 1", "begin it with"),
        ('[endpoints."a b"]', "name it with"),
        (GOOD + "x = 1", "line 5: endpoints.a.x: unknown: use url"),
        (GOOD.replace("https", "http"), "not encrypted"),
        (GOOD.replace("https://x.example/", "ftp://x"), "write https"),
        (GOOD.replace("https://x.example/", "https://u:p@x"), "no user, password"),
        (GOOD.replace("https://x.example/", "https://x:99999"), "no URL"),
        (GOOD.replace("https://x.example/", ""), "in quotes"),
        (GOOD.replace(f'secret = "{SECRET}"', ""), "give it secret"),
        (GOOD.replace(SECRET, "whsec_abc"), "24 to 64 bytes"),
        (GOOD + "unsigned = true", "leave it out"),
        (GOOD.replace('["abandoned_cart"]', "[]"), "name kinds of signals"),
        (GOOD.replace('["abandoned_cart"]', '"x"'), "write a list"),
        (GOOD + 'changes = ["friction"]', "use stage"),
        (GOOD + 'values = ["x"]', "there are none"),
        (GOOD + 'tenant = "a/b"', "A-Z"),
        (GOOD + "retractions = 1", "true or false"),
        (GOOD + "timeout = 0", "from 0.1 to 60"),
        (GOOD + "concurrency = 1.5", "from 1 to 256"),
        (GOOD + 'retry = { first = "5" }', "like \"500ms\""),
        (GOOD + 'retry = { first = "2h", longest = "1h" }', "at most longest"),
        (GOOD + 'retry = { often = "2h" }', "write a table with"),
        (GOOD + 'cap = { messages = 0, per = "1d" }', "how many"),
        (GOOD + 'cap = { messages = 1, per = "31d" }', "30 days"),
        (GOOD + 'quiet = { from = "9pm", to = "08:00", zone = "UTC" }', "time of day"),
        (GOOD + 'quiet = { from = "08:00", to = "08:00", zone = "UTC" }', "the same"),
        (GOOD + 'quiet = { from = "21:00", to = "08:00", zone = "Vienna" }', "name a time zone"),
        (GOOD + 'quiet = { from = "21:00", to = "08:00", zone = "../etc" }', "name a time zone"),
        (GOOD + 'quiet = { from = "21:00", to = "08:00" }', "name a time zone"),
        (GOOD + 'consent = ""', "name the purpose"),
        (GOOD + 'consent = { purpose = "x", rule = "maybe" }', "granted or not_withdrawn"),
        (GOOD + 'headers = { "Webhook-Id" = "x" }', "no header that you may set"),
        (GOOD + 'headers = { A = "x\\r\\nB: y" }', "printable ASCII"),
        (GOOD + 'mail = { from = "a@b" }', "smtp or smtps"),
        (MAIL.replace("smtps", "smtp"), "not encrypted"),
        (MAIL.replace("a@b.example", "me"), "name the sender"),
        (MAIL.replace('["c@d.example"]', '["c@d.example\\nBcc: e@f"]'), "name the recipients"),
        (MAIL.replace(" }", ', user = "u" }'), "or neither"),
        (OPEN_MAIL.replace(" }", ', user = "u", password = "p" }'), "over TLS only"),
        (MAIL.replace(" }", ", starttls = true }"), "encrypted without it"),
    ],
)  # fmt: skip
def test_every_slip_is_one_sentence_that_names_the_fix(text: str, says: str) -> None:
    with pytest.raises(SettingsError) as refused:
        parse(text)
    assert says in str(refused.value)
    assert "\n" not in str(refused.value)


def test_secrets_and_templates_stand_in_files_beside_it(tmp_path: Path) -> None:
    (tmp_path / "w.toml").write_text(GOOD.replace(SECRET, "@key") + 'template = "mine.json.j2"')
    (tmp_path / "key").write_text(SECRET + "\n")
    (tmp_path / "mine.json.j2").write_text("{}")
    endpoints, templates = load_endpoints(str(tmp_path / "w.toml"))

    assert len(endpoints["a"].secrets) == len(templates) == 1
    (tmp_path / "key").unlink()
    with pytest.raises(SettingsError, match=r"endpoints.a.secret names a file that cannot be read"):
        load_endpoints(str(tmp_path / "w.toml"))
    with pytest.raises(SettingsError, match="TOUCHLINE_WEBHOOKS names no"):
        load_endpoints("")
