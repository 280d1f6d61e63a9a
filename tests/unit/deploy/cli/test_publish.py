"""`touchline publish`: what is said in the end, and where the rejected lines go."""

import json
import stat
from pathlib import Path
from typing import Any

import pytest
from typer.testing import Result

from deploy.cli.output import counted
from deploy.cli.publish import command
from deploy.cli.replay import command as replay_command
from deploy.ingest.reading.files import Entry
from deploy.ingest.rejects import Rejects
from schemas.errors import ContractError, Reason, TouchlineError
from tests.support.running import invoke

MAPPING = """
derive_event_id = true
attributes = ["colour"]
[constants]
source = "shop"
channel = "web"
[columns]
occurred_at = "when"
type = "what"
[identifiers]
customer_id = "user"
"""


@pytest.fixture(autouse=True)
def settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TOUCHLINE_PSEUDONYM_KEY", "0123456789abcdef" * 4)
    monkeypatch.setenv("TOUCHLINE_KAFKA_BROKERS", "127.0.0.1:1")  # nobody answers there
    for name in ("IDENTITY_POLICY", "CATALOGUE"):
        monkeypatch.delenv(f"TOUCHLINE_{name}", raising=False)


def publish(*arguments: str) -> Result:
    return invoke(command, "--dry-run", *arguments)


def line(**fields: Any) -> str:
    event = {
        "event_id": "e1", "occurred_at": "2026-01-01T10:00:00Z", "source": "shop", "channel": "web", "type": "login",
        "identifiers": {"cookie": "a"}, **fields,
    }  # fmt: skip
    return json.dumps(event) + "\n"


def found_rejects() -> list[Path]:
    return sorted(Path().glob("rejects-*"))


def test_each_run_has_a_file_of_rejects_of_its_own_that_only_its_owner_reads() -> None:
    Path("a.jsonl").write_text("{}\n" + line())
    for _ in range(3):  # within a second, as a script does
        assert publish("a.jsonl").exit_code == 1
    files = found_rejects()
    assert len(files) == 3
    assert {json.loads(file.read_text())["line"] for file in files} == {1}
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


def test_the_summary_names_the_file_and_a_clean_run_leaves_none_and_names_none() -> None:
    Path("bad.jsonl").write_text("{}\n")
    Path("good.jsonl").write_text(line())
    done = publish("bad.jsonl", "--json")
    (file,) = found_rejects()
    assert json.loads(done.stdout)["rejects"] == str(file)
    assert f"1 rejected (1 INVALID): see {file}" in done.stderr
    done = publish("good.jsonl", "--json")
    assert (done.exit_code, json.loads(done.stdout)["rejects"], found_rejects()) == (0, None, [file])


@pytest.mark.parametrize("path", ["a.jsonl", "./a.jsonl", "link.jsonl", "old.jsonl"])
def test_rejects_never_overwrite_an_input_or_any_other_file(path: str) -> None:
    Path("a.jsonl").write_text("{}\n")
    Path("old.jsonl").write_text("kept")
    Path("link.jsonl").symlink_to("a.jsonl")
    with pytest.raises(TouchlineError, match="is there already: rejects never overwrite a file"):
        publish("a.jsonl", "--rejects", path)
    assert (Path("a.jsonl").read_text(), Path("old.jsonl").read_text()) == ("{}\n", "kept")


def test_rejects_may_be_named_and_thrown_away() -> None:
    Path("a.jsonl").write_text("{}\n")
    assert publish("a.jsonl", "--rejects", "mine.jsonl").exit_code == 1
    assert json.loads(Path("mine.jsonl").read_text())["reason"] == "INVALID"
    assert publish("a.jsonl", "--rejects", "/dev/null").exit_code == 1
    with pytest.raises(TouchlineError, match="nowhere is no directory"):
        publish("a.jsonl", "--rejects", "nowhere/mine.jsonl")
    assert found_rejects() == []


def test_a_file_that_appears_meanwhile_is_not_overwritten() -> None:
    mine = Rejects("mine.jsonl")
    Path("mine.jsonl").write_text("somebody else's")
    with pytest.raises(TouchlineError, match="File exists"), mine:
        mine.add(Entry("a.jsonl", 1, "{}", None), ContractError(Reason.INVALID, "event_id is missing"))
    assert Path("mine.jsonl").read_text() == "somebody else's"


def test_a_quote_that_never_closes_is_said_in_the_summary_and_takes_no_row_with_it() -> None:
    Path("m.toml").write_text(MAPPING)
    good = "2026-01-01,login,u1,red\n"
    Path("a.csv").write_text("when,what,user,colour\n" + good + '2026-01-01,"login,u2,red\n' + good * 1000)
    done = publish("a.csv", "--mapping", "m.toml", "--json")
    summary = json.loads(done.stdout)
    assert (done.exit_code, summary["sent"], summary["rejected"], summary["unclosed_quotes"]) == (
        1,
        1001,
        1,
        1,
    )
    assert "1 row of them with a quote that does not close, the first in a.csv line 3" in done.stderr


@pytest.mark.parametrize(("column", "code"), [("colour", 0), ("user", 1), ("when", 1)])
def test_a_column_that_no_json_line_has_is_said_and_fails_if_it_is_needed(column: str, code: int) -> None:
    Path("m.toml").write_text(MAPPING.replace('"user"', '["user", "other"]'))
    row = {"when": "2026-01-01", "what": "login", "user": "u1", "other": "o1", "colour": "red"}
    Path("a.jsonl").write_text(
        json.dumps({name: cell for name, cell in row.items() if name != column}) + "\n"
    )
    done = publish("a.jsonl", "--mapping", "m.toml", "--json")
    assert (done.exit_code, json.loads(done.stdout)["unseen_columns"]) == (code, [column])
    assert f"the mapping names '{column}', which no line has" in done.stderr
    replayed = invoke(replay_command, "a.jsonl", "--mapping", "m.toml", "--out", "out")
    assert replayed.exit_code == code
    assert f"the mapping names '{column}', which no line has" in replayed.stderr


def test_names_that_the_catalogue_lacks_are_published_and_listed_with_the_nearest_known_one() -> None:
    Path("a.jsonl").write_text(
        line(type="add_to_crat") * 2
        + line(type="Order Placed", channel="wbe", consent={"marketting": "granted"})
    )
    done = publish("a.jsonl", "--json")
    assert (done.exit_code, json.loads(done.stdout)["unknown_names"]) == (
        0,
        [
            {"kind": "type", "name": "add_to_crat", "touchpoints": 2, "nearest": "add_to_cart"},
            {"kind": "channel", "name": "wbe", "touchpoints": 1, "nearest": "web"},
            {"kind": "purpose", "name": "marketting", "touchpoints": 1, "nearest": "marketing"},
        ],
    )
    assert (
        "1 type not in the catalogue: 'add_to_crat' (2 touchpoints, did you mean add_to_cart?)" in done.stderr
    )
    assert "1 channel not in the catalogue: 'wbe' (1 touchpoint, did you mean web?)" in done.stderr


def test_identifier_types_that_the_policy_lacks_are_listed_with_the_nearest_known_one() -> None:
    Path("a.jsonl").write_text(
        line(identifiers={"emial": "ann@shop.de", "cookie": "a"}) * 2
        + line(identifiers={"E-Mail": "ann@shop.de", "till": "7"})
    )
    done = publish("a.jsonl", "--json")
    assert (done.exit_code, json.loads(done.stdout)["unknown_names"]) == (
        0,
        [
            {"kind": "identifier type", "name": "emial", "touchpoints": 2, "nearest": "email"},
            {"kind": "identifier type", "name": "till", "touchpoints": 1, "nearest": None},
        ],
    )
    assert (
        "2 identifier types not in the identity policy, so stored as they come: 'emial' (2 touchpoints, did you mean"
        " email?), 'till' (1 touchpoint)"
    ) in done.stderr


@pytest.mark.parametrize("name", ["erasure_requestd", "Customer Delete", "user-deletion", "dsgvo_löschung"])
def test_a_type_that_looks_like_an_erasure_is_told_first_whatever_else_is_unknown(name: str) -> None:
    Path("a.jsonl").write_text("".join(line(type=f"zz{n % 12}") for n in range(24)) + line(type=name))
    remarks = publish("a.jsonl").stderr
    assert "(1 touchpoint) erased nobody: if it asks for an erasure, send it as erasure_requested" in remarks


def test_what_is_rejected_is_not_listed_as_unknown() -> None:
    Path("a.jsonl").write_text(line(type="nonsense", identifiers={}))
    assert json.loads(publish("a.jsonl", "--json").stdout)["unknown_names"] == []


def test_replay_names_the_lines_that_publish_rejects_with_the_same_sentence() -> None:
    Path("a.jsonl").write_text(line() + line(event_id="m-\ud83d") + line(attributes={"a": "x" * 9000}))
    publish("a.jsonl")
    (file,) = found_rejects()
    sentences = [json.loads(text)["error"] for text in file.read_text().splitlines()]
    done = invoke(replay_command, "a.jsonl", "--out", "out")
    assert done.exit_code == 1
    told = [text for text in done.stderr.splitlines() if text.startswith("a.jsonl:")]
    assert told == [
        f"a.jsonl:{number}: {sentence}" for number, sentence in zip((2, 3), sentences, strict=True)
    ]


def test_replay_never_overwrites_a_file_that_it_reads() -> None:
    Path("states.jsonl").write_text(line())
    with pytest.raises(TouchlineError, match=r"states\.jsonl would be overwritten by the result"):
        invoke(replay_command, "states.jsonl", "--out", ".")
    assert Path("states.jsonl").read_text() == line()


def test_one_is_singular() -> None:
    assert [counted(number, "line") for number in (0, 1, 2, 1000)] == [
        "0 lines",
        "1 line",
        "2 lines",
        "1,000 lines",
    ]
