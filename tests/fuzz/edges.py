"""The edges in process: for each the inputs that are right, and the real reader with the errors that it may raise."""

import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import parquet

from deploy.ingest.mapping.file import mapping_text, parse_mapping, shipped
from deploy.ingest.reading.files import Format, read_entries
from schemas.catalogue import BUILT_IN as CATALOGUE_FILE
from schemas.catalogue import Catalogue
from schemas.encoding.codec import decode, encode
from schemas.encoding.record_types import TOUCHPOINT
from schemas.errors import ContractError, Reason, SettingsError, TouchlineError
from schemas.internal import check_internal, is_internal
from schemas.touchpoint.intake import read_touchpoint, read_value
from schemas.touchpoint.rules import capped, check
from schemas.version_bounds import VersionBounds
from sinks.subscribers.keys import parse_keys
from sinks.subscribers.positions import Mark, UnreadableIdError, read, written
from sinks.webhooks.endpoints_file import parse_endpoints
from streams.collect.keys import parse_keys as parse_write_keys
from streams.collect.mapping_file import built_in
from streams.collect.mapping_file import parse_mapping as parse_messages
from streams.collect.senders import Sender
from streams.identity.policy.load import BUILT_IN as POLICY_FILE
from streams.identity.policy.policy import IdentityPolicy
from streams.identity.policy.prepare import prepare
from streams.journeys.rules.rules import JourneyRules
from tests.support.agents import Record
from tests.support.built_in import CATALOGUE, POLICY
from tests.support.confused import VALID, key_of
from tests.support.touchpoints import START, touchpoint

ROOT = Path(__file__).parents[2]
NOW = START + 365 * 86_400_000
_MESSAGES = built_in()


@dataclass(frozen=True)
class Edge:
    """Where input comes in. `take` gets mutated bytes and returns whether they were accepted; its errors are `may`."""

    name: str
    right: tuple[bytes, ...]
    take: Callable[[bytes], object]
    may: tuple[type[Exception], ...] = (ContractError,)


def _json_touchpoint(data: bytes) -> None:
    prepare(read_touchpoint(data, NOW), POLICY, CATALOGUE)


def _avro_touchpoint(data: bytes) -> None:
    """As stitch reads it: `received_at` is no later than the record's arrival."""
    name, record = decode(data)
    if name != "Touchpoint":
        raise ContractError(Reason.UNDECODABLE, f"expected a Touchpoint, found a {name}")
    received = capped(record, NOW)  # type: ignore[arg-type]
    check(received)
    TOUCHPOINT.encode(prepare(received, POLICY, CATALOGUE)[1])


def _internal(topic: str, key: bytes) -> Callable[[bytes], None]:
    bounds = VersionBounds(0, 1)

    def take(data: bytes) -> None:
        name, message = decode(data)
        if is_internal(name):
            check_internal(name, message, Record(topic, 0, 7, NOW, key, data), bounds)

    return take


def _text(parse: Callable[[str], object]) -> Callable[[bytes], object]:
    """Settings are read as UTF-8 text; bytes that are not are another test's."""
    return lambda data: parse(data.decode("utf-8", "replace"))


def _secret(text: str, _: str) -> str:
    return "whsec_" + "c2VjcmV0" * 5 if text.startswith("@") else text


def _file(form: Format) -> Callable[[bytes], None]:
    def take(data: bytes) -> None:
        with tempfile.NamedTemporaryFile(prefix="touchline-fuzz-") as file:
            file.write(data)
            file.flush()
            for _ in read_entries(file.name, form):
                pass

    return take


def _parquet() -> tuple[bytes, ...]:
    """Files as pyarrow writes them: of several types, compressed and not, and of several row groups."""
    columns = {
        "id": [1, 2, 3], "email": ["a@b.org", None, "c@b.org"], "amount": [Decimal("1.50"), None, Decimal("2.00")],
        "at": [datetime(2026, 1, 5, tzinfo=UTC)] * 3, "tags": [["x"], [], None], "of": [{"a": 1.5}, {"a": None}, None],
    }  # fmt: skip
    found = []
    for options in (
        {"compression": "none"},
        {"compression": "gzip", "row_group_size": 1},
        {"version": "1.0"},
    ):
        with tempfile.NamedTemporaryFile(prefix="touchline-fuzz-", suffix=".parquet") as file:
            parquet.write_table(pa.table(columns), file.name, **options)
            found.append(Path(file.name).read_bytes())
    return tuple(found)


def _rows(form: Format) -> tuple[bytes, ...]:
    lines = [json.dumps({"id": n, "email": f"a{n}@b.org", "note": 'x "y", z'}).encode() for n in range(3)]
    if form == "jsonl":
        return (b"\n".join(lines) + b"\n",)
    return (b'id,email,note\n1,a@b.org,"x ""y"", z"\n2,b@b.org,"two\nlines"\n', b"a;b\n1;2\n")


def _built_in_messages(data: bytes) -> None:
    _MESSAGES.touchpoint(read_value(data), Sender("s", "default", "web"), NOW, NOW)


WRITE_KEYS = b"""[keys.page]
sha256 = "%s"
source = "web-shop"
tenant = "acme"
channel = "web"
mapping = "messages.toml"
events_per_second = 500
origins = ["https://shop.example"]
""" % (b"b" * 64)
READER_KEYS = b"""[keys.page]
sha256 = "%s"
tenant = "default"
scopes = ["read:states", "lookup:identifiers"]
requests_per_second = 5
""" % (b"a" * 64)
WEBHOOKS = b"""[endpoints.crm]
url = "https://example.org/hook"
secret = "@campaigns.key"
signals = ["abandoned_cart"]
consent = "marketing"
cap = { messages = 1, per = "7d" }
quiet = { from = "21:00", to = "08:00", zone = "Europe/Vienna" }
[endpoints.desk]
url = "smtps://mail.example"
mail = { from = "touchline@shop.example", to = ["desk@shop.example"], user = "touchline", password = "@mail.key" }
changes = ["stage"]
values = ["churned"]
"""
JSON = (
    b'{"event_id":"e1","occurred_at":"2026-01-05T10:00:00Z","source":"shop","channel":"web","type":"add_to_cart",'
    b'"identifiers":[{"type":"cookie","value":"a"},{"type":"email","value":"a@b.org"}],"attributes":{"sku":"x"}}',
    b'{"event_id":"e2","occurred_at":1767607200000,"source":"crm","channel":"phone","type":"support_call",'
    b'"identifiers":[{"type":"phone","value":"+49 170 1234567"}],"issue_id":"i-1","account_id":"A"}',
)
SEGMENT = (
    b'{"type":"track","event":"Order Completed","messageId":"m1","anonymousId":"a","userId":"u",'
    b'"timestamp":"2026-01-01T00:00:00Z","properties":{"revenue":12.5,"currency":"EUR","email":"a@b.org"}}',
    b'{"type":"identify","messageId":"m2","userId":"u","traits":{"email":"a@b.org","phone":"+491701234567"}}',
    b'{"type":"alias","messageId":"m3","userId":"u","previousId":"a"}',
)


def edges() -> tuple[Edge, ...]:
    """All of them."""
    internal = [
        Edge(
            f"topic {topic.name}: {name}",
            (encode(name, message),),
            _internal(topic.name, key_of(name, message)),
        )
        for topic, records in VALID.items()
        for name, message in records
    ]
    policy = POLICY_FILE.read_text()
    return (
        Edge("touchpoints, JSON", JSON, _json_touchpoint),
        Edge(
            "topic touchpoints",
            tuple(
                TOUCHPOINT.encode(touchpoint(f"e{number}", ids=[("cookie", "a"), ("email", "a@b.org")]))
                for number in range(3)
            ),
            _avro_touchpoint,
        ),
        *internal,
        Edge("file, JSON lines", _rows("jsonl"), _file("jsonl"), (TouchlineError,)),
        Edge("file, CSV", _rows("csv"), _file("csv"), (TouchlineError,)),
        Edge(
            "mapping of a source",
            tuple(mapping_text(name).encode() for name in shipped()),
            _text(lambda text: parse_mapping(text, "m.toml")),
            (TouchlineError,),
        ),
        Edge(
            "mapping of messages",
            ((ROOT / "streams/collect/messages.toml").read_bytes(),),
            _text(lambda text: parse_messages(text, "m.toml")),
            (SettingsError,),
        ),
        Edge("collector, message", SEGMENT, _built_in_messages),
        Edge(
            "catalogue.toml",
            (CATALOGUE_FILE.read_bytes(),),
            _text(lambda text: Catalogue.parse(text, "c.toml", CATALOGUE)),
            (SettingsError,),
        ),
        Edge(
            "journey.toml",
            ((ROOT / "streams/journeys/rules/journey.toml").read_bytes(),),
            _text(lambda text: JourneyRules.parse(text, "j.toml")),
            (SettingsError,),
        ),
        Edge(
            "identity.toml",
            (policy.encode(), b'[tenants.acme.aliases]\nkunde = "customer_id"\n[aliases]\nmail = "email"\n'),
            _text(lambda text: IdentityPolicy.parse(text, b"k" * 32, "k1", "i.toml", base=policy)),
            (SettingsError,),
        ),
        Edge("file, Parquet", _parquet(), _file("parquet"), (TouchlineError,)),
        Edge(
            "keys of the collector",
            (WRITE_KEYS,),
            _text(lambda text: parse_write_keys(text, "k.toml", lambda _: _MESSAGES)),
            (SettingsError,),
        ),
        Edge("keys of subscribers", (READER_KEYS,), _text(lambda text: parse_keys(text, "k.toml")), (SettingsError,)),
        Edge(
            "webhooks.toml",
            (WEBHOOKS, *(path.read_bytes() for path in sorted((ROOT / "deploy/examples").rglob("webhooks*.toml")))),
            _text(lambda text: parse_endpoints(text, "w.toml", _secret)),
            (SettingsError,),
        ),
        Edge(
            "event id of a stream",
            (written(Mark("states", 1, 5, (1, 2, 3))).encode(),),
            _text(read),
            (UnreadableIdError,),
        ),
    )  # fmt: skip


def tried(edge: Edge, data: bytes) -> Any:
    """Hand one input over. Returns whether it was accepted; any error that the edge may not raise goes on."""
    try:
        edge.take(data)
    except edge.may:
        return False
    return True
