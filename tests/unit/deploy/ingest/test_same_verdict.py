"""Every reader takes and refuses the same lines, with the same sentence, and none raises anything.

For a release, run the properties with 10,000 examples of 4 to 12 lines each (tens of minutes):
    VERDICT_EXAMPLES=10000 .venv/bin/pytest tests/unit/deploy/ingest/test_same_verdict.py -k "any_line or one_value"
"""

import json
import math
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deploy.cli.intake import tell_rejected
from deploy.ingest.mapping.file import load_mapping, parse_mapping
from deploy.ingest.publish_run import DryRun, Run
from deploy.ingest.reading.files import Entry
from deploy.ingest.rejects import Rejects
from deploy.ingest.touchpoint_files import Sourced, TouchpointFiles
from deploy.ingest.unknown_names import UnknownNames
from deploy.offline.policy_trial import PolicyTrial
from deploy.offline.replay_files import collect
from schemas.errors import ContractError, Reason
from schemas.records import Touchpoint
from schemas.touchpoint.intake import read_touchpoint
from streams.replay import Replay
from tests.support.built_in import CATALOGUE, POLICY, RULES
from tests.support.touchpoints import START

#: Of each property.
EXAMPLES = int(os.environ.get("VERDICT_EXAMPLES", "100"))
MAPPING = parse_mapping(
    """
    derive_event_id = ["event_id", "attributes"]
    attributes = ["attributes.a", "amount_minor", "sentiment"]
    whole_numbers = ["account_id"]
    [constants]
    source = "s"
    currency = "EUR"
    [columns]
    occurred_at = "occurred_at"
    channel = "channel"
    type = "type"
    amount = "amount_minor"
    sentiment = "sentiment"
    account_id = "account_id"
    [identifiers]
    cookie = ["identifiers.cookie", "identifiers.0.value"]
    [consent]
    mail = "consent"
    [score]
    kind = "nps"
    value = "score"
    """,
    "m.toml",
)


class InMemory(Rejects):
    """Keeps what was rejected instead of writing it."""

    def __init__(self) -> None:
        super().__init__(None)
        self.found: dict[int, str] = {}

    def add(self, entry: Entry, error: ContractError) -> None:
        self.found[entry.line] = f"{error.reason}: {error}"


def sources(path: Path, mapping: bool) -> TouchpointFiles:
    return TouchpointFiles([str(path)], MAPPING if mapping else None, clock=lambda: START)


def published(path: Path, mapping: bool) -> dict[int, str]:
    lost = InMemory()
    run = Run(sources(path, mapping), UnknownNames(CATALOGUE))
    assert all(summary.lines for summary in run.publish(DryRun(POLICY, CATALOGUE), lost))
    assert run.summary.rejected == len(lost.found)
    return lost.found


def replayed(path: Path, mapping: bool) -> dict[int, str]:
    replay = Replay(POLICY, CATALOGUE, RULES)
    entries = collect(sources(path, mapping), replay)
    refused = {
        entry.line: f"{entry.error.reason}: {entry.error}" for entry in entries if entry.error is not None
    }
    for result in (
        replay.owned(),
        replay.states(),
        replay.signals(START),
        replay.changes(),
        replay.accounts(),
    ):
        for record in result:
            json.dumps(record, default=str).encode()
    return refused


def tried(path: Path, mapping: bool) -> int:
    return PolicyTrial(POLICY, POLICY).read(sources(path, mapping), tell_rejected)


# -- lines: JSON as somebody may write it, near to a touchpoint and far from one ------------------------------------

HOSTILE = [
    "NaN", "-Infinity", "1e999", "-1e400", "1e-999", "9" * 4301, "9" * 400, "-0", "-0.0", "0.1000000000000000055",
    "1E5", "123.0", r'"\ud83d"', r'"\ude00\ud83d"', r'"\ud83d\ude00"', '"\\u0000"', '"\u202e"', "[" * 40 + "]" * 40,
    "19.99", "[" * 2000 + "]" * 2000, '{"a":' * 33 + "1" + "}" * 33, '{"a":1,"a":2}', '{"\\ud800":1}',
    '{"a":{"b":1}}', "",
    '"' + "x" * 9000 + '"', '"' + "é" * 300 + '"', '"2026-01-01T00:00:00z"', '"2026-01-01 00:00:00 UTC"',
    '"1712010912304"',
    '"0001-01-01T00:00:00+23:59"', '"9999-12-31T23:59:59-23:59"', "9223372036854775808", "-9223372036854775809",
]  # fmt: skip

texts = st.text(st.characters(codec=None), max_size=6)  # lone surrogates too
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts | st.integers(-(10**25), 10**25),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
pieces = st.sampled_from(HOSTILE) | st.builds(
    json.dumps, values, ensure_ascii=st.booleans(), indent=st.none()
)

AROUND = ['{"a":%s}', '[{"type":"cookie","value":%s}]', '{"kind":"nps","value":%s}']
LEAST = {
    "event_id": '"e1"', "occurred_at": str(START), "source": '"s"', "channel": '"web"', "type": '"page_view"',
    "identifiers": '{"cookie":"a"}',
}  # fmt: skip
FIELDS = st.sampled_from(
    [
        *LEAST, "tenant", "received_at", "account_id", "session_id", "issue_id", "campaign", "amount_minor", "currency",
        "sentiment", "score", "consent", "experiments", "link", "attributes", "surprise", "event_id",
    ]
)  # fmt: skip


@st.composite
def near_touchpoints(draw: st.DrawFn) -> str:
    """A good touchpoint with some fields changed, added (also twice) or nested."""
    parts = [(name, value) for name, value in LEAST.items() if draw(st.integers(0, 15))]
    for name in draw(st.lists(FIELDS, max_size=3)):
        piece = draw(pieces)
        if draw(st.booleans()):
            piece = (
                draw(
                    st.sampled_from(
                        ['{"a":%s}', '[{"type":"cookie","value":%s}]', '{"kind":"nps","value":%s}']
                    )
                )
                % piece
            )
        if draw(st.integers(0, 3)):
            parts = [part for part in parts if part[0] != name]
        parts.append((name, piece))
    return "{" + ",".join(f'"{name}":{value}' for name, value in parts) + "}"


lines = near_touchpoints() | near_touchpoints() | pieces | st.text(max_size=20)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("verdicts") / "lines.jsonl"


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
@given(found=st.lists(lines, min_size=4, max_size=12), mapping=st.booleans())
def test_publish_replay_and_policy_try_give_the_same_verdict_on_any_line_and_none_raises(
    file: Path, found: list[str], mapping: bool
) -> None:
    file.write_bytes(b"\n".join(line.encode("utf-8", "surrogatepass") for line in found))
    refused = published(file, mapping)
    assert replayed(file, mapping) == refused
    # policy try counts what has no usable identifier as lost or gained, since that is what a policy decides
    unusable = sum("no identifier is usable" in sentence for sentence in refused.values())
    assert tried(file, mapping) == len(refused) - unusable
    for sentence in refused.values():
        assert "Traceback" not in sentence
        assert "\n" not in sentence
        assert len(sentence) < 600


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
@given(line=lines)
def test_the_bytes_of_one_value_get_the_verdict_of_a_line(file: Path, line: str) -> None:
    data = line.replace("\n", " ").replace("\r", " ").encode("utf-8", "surrogatepass")
    file.write_bytes(b"1\n" + data)
    if not line or line.isspace():
        return  # a blank line is no line
    verdicts = [verdict(sourced) for sourced in sources(file, mapping=False) if sourced.entry.line == 2]
    alone: Reason | Touchpoint
    try:
        alone = read_touchpoint(data, START)
    except ContractError as error:
        alone = error.reason
    assert verdicts == [alone]


def verdict(sourced: Sourced) -> Reason | Touchpoint | None:
    return sourced.entry.error.reason if sourced.entry.error else sourced.touchpoint


@pytest.mark.parametrize("value", HOSTILE)
@pytest.mark.parametrize(
    "name", ["event_id", "occurred_at", "amount_minor", "sentiment", "attributes", "consent", "surprise"]
)
@pytest.mark.parametrize("mapping", [False, True])
def test_every_hostile_value_in_every_kind_of_field_gets_one_verdict(
    file: Path, name: str, value: str, mapping: bool
) -> None:
    parts = {**LEAST, "currency": '"EUR"', name: value}
    file.write_text("{" + ",".join(f'"{key}":{part}' for key, part in parts.items()) + "}", encoding="utf-8")
    assert replayed(file, mapping) == published(file, mapping)


def test_the_half_emoji_is_one_rejected_line_for_all(tmp_path: Path) -> None:
    path = tmp_path / "half.jsonl"
    good = json.dumps({name: json.loads(part) for name, part in LEAST.items()})
    path.write_text("\n".join((good, good.replace('"e1"', r'"m-\ud83d"'), good.replace('"e1"', '"e2"'))))
    says = "event_id holds half of a surrogate pair (\\ud83d): send the whole character or leave it out"
    assert published(path, mapping=False) == {2: f"UNDECODABLE: {says}"}
    assert replayed(path, mapping=False) == published(path, mapping=False)


def test_a_touchpoint_too_large_for_kafka_is_refused_by_all(tmp_path: Path) -> None:
    path = tmp_path / "large.jsonl"
    fields = {name: json.loads(part) for name, part in LEAST.items()}
    most = math.ceil(1024 * 1024 / 8192)
    path.write_text(
        json.dumps({**fields, "attributes": {f"a{number}": "x" * 8192 for number in range(most)}})
    )
    assert published(path, mapping=False) == replayed(path, mapping=False)
    assert "TOO_LARGE" in published(path, mapping=False)[1]


def test_a_bug_that_one_row_meets_rejects_its_line_for_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise TypeError("not what it expects")

    monkeypatch.setattr("deploy.ingest.mapping.columns.ColumnMapping.touchpoint", fail)
    path = tmp_path / "rows.jsonl"
    path.write_text('{"a": 1}\n{"a": 2}\n')
    errors = [sourced.entry.error for sourced in TouchpointFiles([str(path)], MAPPING)]
    assert [error and error.reason for error in errors] == [Reason.UNEXPECTED] * 2
    assert "please report it: TypeError: not what it expects" in str(errors[0])


@pytest.mark.parametrize("place", ["1.5", "[1.25]", '{"a": 1.5}'])
def test_change_data_with_a_place_in_the_log_that_no_database_writes_is_a_rejected_line(
    tmp_path: Path, place: str
) -> None:
    path = tmp_path / "changes.jsonl"
    path.write_text(
        '{"op": "c", "before": null, "after": {"id": 1, "email": "a@example.com"}, "source":'
        f' {{"name": "crm", "table": "customers", "lsn": {place}, "ts_ms": 1772357400000}}}}\n'
    )
    (sourced,) = TouchpointFiles([str(path)], load_mapping("debezium-customers"))
    assert sourced.entry.error is not None
    assert sourced.entry.error.reason is Reason.INVALID
