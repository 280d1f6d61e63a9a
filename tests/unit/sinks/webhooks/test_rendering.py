"""Templates: what sources say stays text, whatever it looks like; a body is JSON or there is none."""

import json
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import SettingsError
from sinks.webhooks.endpoints import Mail
from sinks.webhooks.mail_sender import letter
from sinks.webhooks.message import Attempt
from sinks.webhooks.rendering import (
    MAX_BODY,
    SHIPPED,
    RenderingError,
    Template,
    context_of,
    load_template,
    samples,
)
from tests.support.webhooks import NOW, endpoint, message, state

MAIL = Mail("h", 25, tls=False, starttls=False, sender="a@b.example", recipients=("x@y.example",))
NASTY = st.text(max_size=60) | st.sampled_from(
    [
        '"}, {"text": "x',
        "{{ 7*7 }}",
        "<!channel> <https://evil|x>",
        "\\",
        "a\nBcc: all@x.example\n\nhi",
        "\x00\x1b[2J",
    ]
)


def attempt_of(told) -> Attempt:
    return Attempt("msg_1", told.kind, told.wanted, told.version, NOW, told.payload, 1, NOW, told.takes_back)


@cache
def shipped(name: str) -> Template:
    mail = name.endswith(".txt.j2")
    return load_template(endpoint(template=name.split(".")[0], mail=MAIL if mail else None), Path())


@pytest.mark.parametrize("path", sorted(SHIPPED.iterdir()), ids=lambda path: path.name)
def test_every_shipped_template_renders_every_sample(path: Path) -> None:
    template = shipped(path.name)
    for sample in samples():
        body = template.render(sample)
        assert json.loads(body) if template.is_json else body.startswith(b"Subject: ")


@pytest.mark.parametrize("path", sorted(SHIPPED.iterdir()), ids=lambda path: path.name)
@given(nasty=NASTY)
def test_what_a_source_says_changes_no_structure(path: Path, nasty: str) -> None:
    template = shipped(path.name)
    plain, said = (
        {**samples()[0], "signal": {**samples()[0]["signal"], "rule": text, "details": {"channel": text}}}
        for text in ("plain", nasty)
    )
    if template.is_json:
        assert shape(json.loads(template.render(said))) == shape(json.loads(template.render(plain)))
    else:
        found = letter(MAIL, "msg_1", template.render(said))
        assert sorted(found.keys()) == sorted(letter(MAIL, "msg_1", template.render(plain)).keys())
        assert found["To"] == "x@y.example"


def shape(value):
    if isinstance(value, dict):
        return {key: shape(part) for key, part in value.items()}
    return [shape(part) for part in value] if isinstance(value, list) else type(value)


def test_slack_reads_no_command_in_what_a_source_says() -> None:
    said = {**samples()[0], "signal": {**samples()[0]["signal"], "rule": "<!channel> & <https://evil|x>"}}
    text = json.loads(shipped("slack.json.j2").render(said))["text"]
    assert "<" not in text
    assert text.endswith("&lt;!channel&gt; &amp; &lt;https://evil|x&gt;")


def test_a_subject_has_one_line_and_the_message_id_is_the_webhook_id() -> None:
    found = letter(MAIL, "msg_7", b"Subject: hello\r there\n\nbody\n")
    assert (found["Subject"], found["Message-ID"]) == ("hello there", "<msg_7@b.example>")
    assert found.get_content() == "body\n"


def test_the_standard_body_says_type_time_and_whom() -> None:
    told = message(version=15)
    context = context_of(told.key, attempt_of(told), "", state(7))
    body = json.loads(shipped("standard.json.j2").render(context))

    assert body["type"] == "signal.raised"
    assert body["timestamp"] == "2026-01-01T09:40:00.000Z"
    assert body["data"]["signal"]["signal_id"] == "s1"
    assert body["data"]["person"]["identifiers"][1] == {"type": "customer_id", "value": "C100042"}
    assert (
        context_of(told.key, attempt_of(message(wanted="RETRACTED")), "", None)["type"] == "signal.retracted"
    )


@pytest.mark.parametrize(
    "text",
    [
        "{{ nothing }}",
        "{{ signal.nope }}",
        "{{ 1/0 }}",
        "not json",
        "{{ ''.__class__ }}",
        "NaN",
        '{"a": 1',
        "{{ signal.x.y }}",
    ],
)
def test_a_template_that_makes_no_body_is_one_sentence(text: str) -> None:
    with pytest.raises(RenderingError, match=r"^template t: \w+"):
        Template("t", text, is_json=True).render(samples()[0])


def test_a_body_is_bounded() -> None:
    with pytest.raises(RenderingError, match="the limit is"):
        Template("t", f'"{{{{ "x" * {MAX_BODY} }}}}"', is_json=True).render(samples()[0])


def test_a_template_reaches_nothing_of_python() -> None:
    for text in (
        "{{ samples.__globals__ }}",
        "{{ signal.clear() }}",
        "{{ self.__init__ }}",
        "{% include 'x' %}",
    ):
        with pytest.raises((RenderingError, SettingsError)):
            Template("t", text, is_json=False).render(samples()[0])


def test_a_template_of_one_s_own_is_tried_when_the_service_starts(tmp_path: Path) -> None:
    (tmp_path / "mine.json.j2").write_text('{"who": "{{ state.stage }}"}')
    with pytest.raises(SettingsError, match=r"endpoints.campaigns.template fails on a sample: .*stage"):
        load_template(endpoint(template="mine.json.j2"), tmp_path)
    (tmp_path / "mine.json.j2").write_text('{"who": {{ (state.stage if state else none) | tojson }}}')
    assert (
        load_template(endpoint(template="mine.json.j2"), tmp_path).render(samples()[0])
        == b'{"who": "purchase"}'
    )
    with pytest.raises(SettingsError, match="use crm-note, slack, standard, or a file"):
        load_template(endpoint(template="nope"), tmp_path)
    (tmp_path / "bad.json.j2").write_text("{% if %}")
    with pytest.raises(SettingsError, match="cannot be read"):
        load_template(endpoint(template="bad.json.j2"), tmp_path)


@pytest.mark.parametrize("filters", ["e", "safe", "e | safe", "tojson | e", "tojson | upper"])
def test_only_tojson_writes_json_whatever_other_filters_say_of_a_text(filters: str) -> None:
    """`| e` makes markup of a text: with a backslash at its end it would take the quotation mark with it."""
    text = '{"a": "{{ a | FILTERS }}", "b": "{{ b | FILTERS }}"}'.replace("FILTERS", filters)
    template = Template("t", text, is_json=True)
    found = json.loads(template.render({"a": "\\", "b": ', "admin": 1, "x": "'}))
    assert set(found) == {"a", "b"}


def test_tojson_writes_any_value() -> None:
    template = Template("t", '{"a": {{ a | tojson }}, "b": {{ b | tojson(indent=2) }}}', is_json=True)
    assert json.loads(template.render({"a": '"<\n', "b": {"c": [1, None, True]}})) == {
        "a": '"<\n',
        "b": {"c": [1, None, True]},
    }
