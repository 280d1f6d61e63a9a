"""What a message says: a template makes the body of what happened and of the person's present state.

Values come from sources, so a template never reads them as template, JSON or markup: in a JSON template a value is
escaped as the inside of a JSON string (numbers, true, false and null stay bare); in a text template control characters
become spaces.
"""

import json
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

from jinja2 import StrictUndefined, TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from schemas.encoding.record_types import JOURNEY_SIGNAL
from schemas.errors import SettingsError
from schemas.records import JourneyState, Record
from schemas.toml_text import read_text
from schemas.touchpoint.json_form import to_iso
from sinks.webhooks.endpoints import Endpoint
from sinks.webhooks.message import Attempt, Key

SHIPPED: Final = Path(__file__).parent / "templates"
MAX_BODY: Final = 256 * 1024  #: bytes
_CONTROLS: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_SLACK: Final = (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"))
#: Fields of signals and states that are UTC ms.
_TIMES: Final = frozenset({"as_of", "first_seen", "last_seen", "stage_since", "occurred_at"})


class RenderingError(Exception):
    """A template cannot make a body of this message. Response: dead-letter the message."""


class Template:
    """One template. JSON unless its file ends with .txt.j2: then a mail, whose first line is `Subject: …`."""

    def __init__(self, name: str, text: str, *, is_json: bool) -> None:
        """Raises SettingsError if the text is no template."""
        self.name = name
        self.is_json = is_json
        try:
            self._template = _environment(is_json).from_string(text)
        except TemplateError as error:
            raise SettingsError(f"template {name} cannot be read: {error}") from error

    def render(self, context: Mapping[str, Any]) -> bytes:
        """The body. Raises RenderingError."""
        try:
            text = self._template.render(context)
            if self.is_json:
                # parsed and written anew: what is sent is JSON, whatever the template does
                text = json.dumps(json.loads(text, parse_constant=_refuse), ensure_ascii=False)
        except (
            TemplateError,
            ValueError,
            TypeError,
            ArithmeticError,
            LookupError,
            AttributeError,
            RecursionError,
        ) as error:
            raise RenderingError(f"template {self.name}: {type(error).__name__}: {error}") from error
        body = text.encode("utf-8", "replace")
        if len(body) > MAX_BODY:
            raise RenderingError(f"template {self.name} makes {len(body):,} bytes, the limit is {MAX_BODY:,}")
        return body


def load_template(endpoint: Endpoint, folder: Path) -> Template:
    """The template of an endpoint: one that is shipped, or a file beside webhooks.toml. Raises SettingsError.

    It is tried on samples, so that a slip shows when the service starts and not with the first message.
    """
    name, ending = endpoint.template, ".txt.j2" if endpoint.mail else ".json.j2"
    shipped = SHIPPED / f"{name}{ending}"
    if "/" not in name and shipped.is_file():
        text = shipped.read_text(encoding="utf-8")
    elif name.endswith(ending):
        text = read_text(str(folder / name), f"endpoints.{endpoint.name}.template")
    else:
        known = ", ".join(sorted(path.name.removesuffix(ending) for path in SHIPPED.glob(f"*{ending}")))
        raise SettingsError(
            f"endpoints.{endpoint.name}.template is {name!r}: use {known}, or a file that ends with {ending}"
        )
    template = Template(name, text, is_json=endpoint.mail is None)
    for sample in samples():
        try:
            template.render(sample)
        except RenderingError as error:
            raise SettingsError(f"endpoints.{endpoint.name}.template fails on a sample: {error}") from error
    return template


def context_of(key: Key, attempt: Attempt, before: str, state: JourneyState | None) -> dict[str, Any]:
    """What a template knows: `type`, `id`, `timestamp`, `tenant`, `profile_id`, `signal` or `change`, `state`."""
    signal: Record | None = None
    change: dict[str, str] | None = None
    if attempt.payload:
        signal = dict(JOURNEY_SIGNAL.decode(attempt.payload))
        type_name = f"signal.{attempt.wanted.lower()}"
        timestamp = to_iso(signal["occurred_at"])
    else:
        change = {"field": key.subject, "value": attempt.wanted, "before": before}
        type_name, timestamp = "state.changed", to_iso(attempt.happened_at)
    return {
        "type": type_name,
        "id": attempt.webhook_id,
        "timestamp": timestamp,
        "tenant": key.person.tenant,
        "profile_id": key.person.profile_id,
        "signal": None if signal is None else _told(signal),
        "change": change,
        "state": None if state is None else _told(dict(state)),
    }


def _told(record: Record) -> Record:
    """A record as templates see it: times as ISO 8601."""
    return {
        name: to_iso(value) if name in _TIMES and isinstance(value, int) else value
        for name, value in record.items()
    }


@cache
def samples() -> tuple[dict[str, Any], ...]:
    """One context of each kind, made of the committed examples: raised with a state and without, retracted, changed."""
    folder = Path(__file__).parents[2] / "schemas" / "examples"
    signal = json.loads((folder / "JourneySignal.json").read_text())
    state = json.loads((folder / "JourneyState.json").read_text())
    common = {
        "id": "msg_" + "0" * 32, "timestamp": to_iso(signal["occurred_at"]), "tenant": signal["tenant"],
        "profile_id": signal["profile_id"], "signal": _told(signal), "change": None, "state": _told(state),
    }  # fmt: skip
    raised = {"type": "signal.raised", **common}
    retracted = {**_told(signal), "status": "RETRACTED", "reason": "CONTRADICTED"}
    change = {"field": "stage", "value": "purchase", "before": "intent"}
    return (
        raised,
        {**raised, "state": None},
        {**raised, "type": "signal.retracted", "signal": retracted},
        {**raised, "type": "state.changed", "signal": None, "change": change},
        {
            **raised,
            "type": "state.changed",
            "signal": None,
            "change": {**change, "before": ""},
            "state": None,
        },
    )


def _environment(is_json: bool) -> ImmutableSandboxedEnvironment:
    environment = ImmutableSandboxedEnvironment(
        undefined=StrictUndefined, autoescape=False, trim_blocks=True, lstrip_blocks=True,
        finalize=_inside_json if is_json else _plain, keep_trailing_newline=True,
    )  # fmt: skip
    environment.filters["tojson"] = _json
    environment.filters["slack"] = _slack
    environment.filters["words"] = lambda text: str(text).replace("_", " ")
    return environment


class _Json(str):
    """JSON of the filter tojson, the only text that stands as it is: what `| e` and `| safe` return is text."""

    __slots__ = ()


def _json(value: Any, indent: int | None = None) -> _Json:
    return _Json(json.dumps(value, ensure_ascii=False, indent=indent))


def _inside_json(value: Any) -> Any:
    if isinstance(value, _Json):
        return value
    if value is None or isinstance(value, bool | int | float):
        return json.dumps(value)
    return json.dumps(str(value), ensure_ascii=False)[1:-1]


def _plain(value: Any) -> str:
    return "" if value is None else _CONTROLS.sub(" ", str(value))


def _slack(value: Any) -> str:
    """Text that Slack shows as it is: no mention, link or channel command is read in it."""
    text = "" if value is None else str(value)
    for character, entity in _SLACK:
        text = text.replace(character, entity)
    return text


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is no JSON")
