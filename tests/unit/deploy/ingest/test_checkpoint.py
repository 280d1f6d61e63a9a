"""An interrupted import goes on where the broker had acknowledged: nothing is lost, and few are sent twice."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from deploy.ingest import checkpoint
from deploy.ingest.checkpoint import NOTHING, Checkpoint, Checkpoints, Job
from deploy.ingest.mapping.file import parse_mapping
from deploy.ingest.publish_run import Run
from deploy.ingest.reading.lines import SourceError
from deploy.ingest.rejects import Rejects
from deploy.ingest.touchpoint_files import TouchpointFiles
from deploy.ingest.unknown_names import UnknownNames
from schemas.errors import TouchlineError
from schemas.records import Touchpoint
from tests.support.built_in import CATALOGUE

MAPPING = """
[constants]
source = "s"
channel = "web"
type = "login"
[columns]
event_id = "id"
occurred_at = "at"
[identifiers]
cookie = "id"
[[events]]
name = "a"
[[events]]
name = "b"
when.two = "y"
"""


class KilledError(Exception):
    """kill -9."""


class Broker:
    """Takes what is handed over, and acknowledges in order, `lag` touchpoints behind.

    When the process is killed, what is not acknowledged has `arrived` all the same, or is lost.
    """

    def __init__(
        self, taken: list[str], lag: int, dies_after: int | None = None, *, arrived: bool = True
    ) -> None:
        self.taken = taken
        self.lag = lag
        self.left = dies_after
        self.arrived = arrived
        self.unacknowledged: list[str] = []
        self.sent = 0

    def send(self, touchpoint: Touchpoint) -> None:
        if self.left == 0:
            self.taken += self.unacknowledged if self.arrived else []
            raise KilledError
        self.left = None if self.left is None else self.left - 1
        self.unacknowledged.append(touchpoint["event_id"])

    def flush(self) -> None:
        self._acknowledge(len(self.unacknowledged))

    def count_confirmed(self) -> None:
        self._acknowledge(max(len(self.unacknowledged) - self.lag, 0))

    def _acknowledge(self, count: int) -> None:
        self.taken += self.unacknowledged[:count]
        del self.unacknowledged[:count]
        self.sent += count


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(checkpoint, "MAX_REPEATED", 12)
    monkeypatch.setattr(checkpoint, "WRITE_SECONDS", 1e9)  # only the bound writes
    monkeypatch.setattr("os.fsync", lambda _: None)  # the machine does not crash, and disks are slow
    return tmp_path


def rows(first: int, count: int) -> list[dict[str, str]]:
    return [
        {
            "id": "" if number % 7 == 3 else str(number),
            "at": "2026-03-01",
            "two": "y" if number % 3 else 'n\n"',
        }
        for number in range(first, first + count)
    ]


def write_csv(path: Path, first: int, count: int) -> None:
    quoted = [
        ",".join('"' + cell.replace('"', '""') + '"' for cell in row.values()) for row in rows(first, count)
    ]
    data = "\n".join(["id,at,two", *quoted]).encode()
    path.write_bytes(gzip.compress(data, mtime=0) if path.suffix == ".gz" else data)


def write_json(path: Path, first: int, count: int) -> None:
    path.write_text("\n\n".join(json.dumps(row) for row in rows(first, count)))


def write_parquet(path: Path, first: int, count: int) -> None:
    parquet.write_table(pa.Table.from_pylist(rows(first, count)), path)


WRITERS: dict[str, Callable[[Path, int, int], None]] = {
    "a.csv": write_csv, "b.csv.gz": write_csv, "c.jsonl": write_json, "d.parquet": write_parquet,
}  # fmt: skip


def job(*files: str, mapping: str = MAPPING) -> Job:
    return Job(files, mapping, "broker topic")


def run(which: Job, broker: Broker, start: Checkpoint = NOTHING) -> Run:
    """One process: it imports until the broker kills it."""
    sources = TouchpointFiles(which.files, parse_mapping(MAPPING, "m.toml"), start=start.place)
    one = Run(sources, UnknownNames(CATALOGUE), Checkpoints(which, start))
    with Rejects("/dev/null") as lost:
        for _ in one.publish(broker, lost):
            pass
    broker.flush()
    one.end(broker, whole=True)
    return one


def bound(start: Checkpoint) -> int:
    """How many touchpoints are sent twice at most; before the first checkpoint it is as many as behind any."""
    return checkpoint.MAX_REPEATED if start is NOTHING else start.may_repeat


def expected(which: Job) -> list[str]:
    taken: list[str] = []
    run(which, Broker(taken, 0))
    return taken


@settings(max_examples=30)
@given(
    names=st.lists(st.sampled_from(sorted(WRITERS)), min_size=1, max_size=3, unique=True),
    deaths=st.lists(st.tuples(st.integers(0, 60), st.booleans()), max_size=4),
    lag=st.integers(0, 20),
)
def test_however_often_it_is_killed_an_import_loses_nothing_and_repeats_no_more_than_it_says(
    names: list[str], deaths: list[tuple[int, bool]], lag: int
) -> None:
    for at, name in enumerate(names):
        WRITERS[name](Path(name), 100 * at, 25)
    which = job(*names)
    which.path().unlink(missing_ok=True)
    whole = expected(which)
    taken: list[str] = []
    for death, arrived in deaths:
        before, start = list(taken), checkpoint.read(which) or NOTHING
        try:
            run(which, Broker(taken, lag, death, arrived=arrived), start)
        except KilledError:
            assert len(set(taken[len(before) :]) & set(before)) <= bound(start)
        else:
            assert (set(taken), checkpoint.read(which)) == (set(whole), None)
            return
    before, start = list(taken), checkpoint.read(which) or NOTHING
    assert set(whole[: start.sent]) <= set(before)
    done = run(which, Broker(taken, lag), start)
    assert set(taken) == set(whole)
    assert start.sent + done.summary.sent == len(whole)
    repeated = len(set(taken[len(before) :]) & set(before))
    assert repeated <= bound(start)
    assert checkpoint.read(which) is None


@pytest.mark.parametrize("name", sorted(WRITERS))
def test_ended_in_order_an_import_repeats_nothing(name: str) -> None:
    WRITERS[name](Path(name), 0, 25)
    which = job(name)
    whole, taken = expected(which), []  # type: ignore[var-annotated]
    broker = Broker(taken, 5)
    one = Run(
        TouchpointFiles(which.files, parse_mapping(MAPPING, "m.toml")),
        UnknownNames(CATALOGUE),
        Checkpoints(which),
    )
    with Rejects("/dev/null") as lost:
        for summary in one.publish(broker, lost):
            if summary.lines == 9:
                break
    broker.flush()
    one.end(broker, whole=False)
    start = checkpoint.read(which)
    assert start is not None
    assert (start.may_repeat, start.rejected) == (0, 1)
    run(which, Broker(taken, 5), start)
    assert taken == whole


def test_a_checkpoint_is_written_once_a_second_too(monkeypatch: pytest.MonkeyPatch) -> None:
    write_json(Path("c.jsonl"), 0, 25)
    monkeypatch.setattr(checkpoint, "WRITE_SECONDS", 0.0)
    with pytest.raises(KilledError):
        run(job("c.jsonl"), Broker([], 0, 5))
    start = checkpoint.read(job("c.jsonl"))
    assert start is not None
    assert start.sent >= 3


def interrupted(name: str) -> Job:
    WRITERS[name](Path(name), 0, 25)
    with pytest.raises(KilledError):
        run(job(name), Broker([], 0, 30))
    return job(name)


@pytest.mark.parametrize("name", sorted(WRITERS))
def test_a_file_that_is_not_the_same_is_refused(name: str) -> None:
    which = interrupted(name)
    found = checkpoint.read(which)
    assert found is not None
    data = Path(name).read_bytes()
    WRITERS[name](Path(name), 1, 25)
    with pytest.raises(SourceError, match="is not the file that the interrupted import read"):
        run(which, Broker([], 0), found)
    Path(name).write_bytes(data + b"\n")
    with pytest.raises(TouchlineError, match=rf"it had {len(data):,} bytes and has {len(data) + 1:,}"):
        checkpoint.read(which)


def test_another_mapping_is_refused_since_it_may_make_other_event_ids() -> None:
    which = interrupted("a.csv")
    with pytest.raises(TouchlineError, match="the mapping is not the one of the interrupted import"):
        checkpoint.read(job("a.csv", mapping=MAPPING + " "))
    assert checkpoint.read(which) is not None


def test_another_broker_or_other_files_have_no_checkpoint() -> None:
    interrupted("a.csv")
    write_csv(Path("b.csv"), 0, 2)
    assert checkpoint.read(job("a.csv", "b.csv")) is None
    assert checkpoint.read(Job(("a.csv",), MAPPING, "another broker")) is None
    assert (
        checkpoint.read(job("../" + Path.cwd().name + "/a.csv")) is not None
    )  # the same file by another name


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"file": 0}', '{"file": 0, "position": [1]}'])
def test_a_checkpoint_that_cannot_be_read_is_one_sentence(text: str) -> None:
    write_csv(Path("a.csv"), 0, 2)
    job("a.csv").path().write_text(text)
    with pytest.raises(TouchlineError, match=r"cannot be read: delete it, and publish without --resume"):
        checkpoint.read(job("a.csv"))


DAMAGED = {
    "file": [7, 1, -1, "x", None, True, 0.0],
    "position": [[], [1, 2], [1, 2, 3, 4], [0, -1, 0], ["1", 2, 3], [None, 0, 0], {"line": 1}, "123", None],
    "sizes": [[], [1, 2], ["x"], [None], {}, "9", 9, None],
    "sent": ["1", -1, None, 1.5, [1]],
    "rejected": ["1", -1, None, True],
    "may_repeat": ["1", -1, None, {}],
}


@pytest.mark.parametrize(("field", "value"), [(name, value) for name in DAMAGED for value in DAMAGED[name]])
def test_a_checkpoint_with_a_damaged_field_is_the_same_sentence(field: str, value: object) -> None:
    which = interrupted("a.csv")
    whole = json.loads(which.path().read_text())
    which.path().write_text(json.dumps({**whole, field: value}))
    with pytest.raises(TouchlineError, match=r"cannot be read: delete it, and publish without --resume"):
        checkpoint.read(which)
    which.path().write_text(json.dumps({name: one for name, one in whole.items() if name != field}))
    with pytest.raises(TouchlineError, match=r"cannot be read: delete it, and publish without --resume"):
        checkpoint.read(which)


def test_a_checkpoint_of_nothing_but_brackets_is_the_same_sentence() -> None:
    which = interrupted("a.csv")
    which.path().write_text("[" * 100_000)
    with pytest.raises(TouchlineError, match=r"cannot be read: delete it, and publish without --resume"):
        checkpoint.read(which)


@pytest.mark.parametrize("name", sorted(WRITERS))
@pytest.mark.parametrize("position", [[10**30, 0, 0], [5, 10**30, 0], [5, 7, 10**30]])
def test_a_place_that_no_file_has_is_one_sentence(name: str, position: list[int]) -> None:
    which = interrupted(name)
    whole = json.loads(which.path().read_text())
    which.path().write_text(json.dumps({**whole, "position": position}))
    start = checkpoint.read(which)
    assert start is not None
    with pytest.raises(SourceError, match="is not the file that the interrupted import read"):
        run(which, Broker([], 0), start)


def test_where_no_checkpoint_can_be_written_the_import_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    write_csv(Path("a.csv"), 0, 25)
    whole, taken = expected(job("a.csv")), []  # type: ignore[var-annotated]
    monkeypatch.setattr(checkpoint, "replace_file", refuse)
    done = run(job("a.csv"), Broker(taken, 3))
    assert taken == whole
    assert done.checkpoints is not None
    assert isinstance(done.checkpoints.failure, PermissionError)
