"""`touchline catalogue check`: a catalogue as a worker reads it, and the names in files that it lacks."""

import json
from pathlib import Path

import pytest
from typer.testing import Result

from deploy.cli.catalogue import command
from deploy.ingest import unknown_names
from deploy.ingest.unknown_names import UnknownNames
from schemas.catalogue import Catalogue
from schemas.errors import SettingsError
from tests.support.running import invoke
from tests.support.touchpoints import touchpoint


@pytest.fixture(autouse=True)
def settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TOUCHLINE_CATALOGUE", raising=False)


def check(*arguments: str) -> Result:
    return invoke(command, "check", *arguments)


def events(*names: str) -> str:
    Path("a.jsonl").write_text(
        "".join(
            json.dumps(
                {
                    "event_id": f"e{number}", "occurred_at": "2026-01-01", "source": "s", "channel": "web",
                    "type": name, "identifiers": {"cookie": "a"},
                }
            )
            + "\n"
            for number, name in enumerate(names)
        )
    )  # fmt: skip
    return "a.jsonl"


def test_the_catalogue_is_counted_and_needs_no_file() -> None:
    done = check()
    known = Catalogue.load()
    assert done.exit_code == 0
    assert f"the catalogue has {len(known.types)} types, {len(known.channels)} channels" in done.stdout


def test_unknown_names_are_listed_with_counts_and_the_nearest_known_name() -> None:
    done = check(events("add_to_crat", "add_to_crat", "zzz", "login"))
    assert done.exit_code == 1
    rows = [
        [cell.strip() for cell in row.strip("│").split("│")] for row in done.stdout.splitlines() if "│" in row
    ]
    assert rows == [["type", "add_to_crat", "2", "add_to_cart"], ["type", "zzz", "1", ""]]
    assert "4 lines read, 0 rejected, 2 unknown names" in done.stdout


def test_names_that_are_known_in_any_spelling_or_as_an_alias_are_not_listed() -> None:
    done = check(events("Order Placed", "order-placed", "view_item"), "--json")
    assert (done.exit_code, json.loads(done.stdout)["unknown_names"]) == (0, [])


def test_the_name_behind_the_nearest_alias_is_proposed() -> None:
    done = check(events("view_itm"), "--json")
    assert json.loads(done.stdout)["unknown_names"][0]["nearest"] == "product_view"


def test_a_catalogue_of_ones_own_is_read_and_its_slips_are_a_sentence() -> None:
    Path("c.toml").write_text("[types.zzz]\ncomponent = 'sales'\n")
    assert check(events("zzz"), "--catalogue", "c.toml").exit_code == 0
    Path("c.toml").write_text("[types.zzz]\ncomponent = 'sail'\n")
    with pytest.raises(SettingsError, match=r"c\.toml.*component is 'sail'"):
        check("--catalogue", "c.toml")


def test_a_line_that_cannot_be_taken_is_named_and_fails() -> None:
    Path("a.jsonl").write_text("{}\n")
    done = check("a.jsonl")
    assert done.exit_code == 1
    assert "a.jsonl:1: event_id is missing" in done.stderr
    assert "1 line read, 1 rejected, 0 unknown names" in done.stdout


def test_rows_are_mapped() -> None:
    Path("m.toml").write_text(
        "derive_event_id = true\n[constants]\nsource = 's'\nchannel = 'web'\n[columns]\noccurred_at = 'when'\n"
        "type = 'what'\n[identifiers]\ncookie = 'who'\n"
    )
    Path("a.csv").write_text("when,what,who\n2026-01-01,logn,a\n")
    done = check("a.csv", "--mapping", "m.toml", "--json")
    assert [one["nearest"] for one in json.loads(done.stdout)["unknown_names"]] == ["login"]


def test_a_name_per_event_is_counted_in_bounded_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unknown_names, "MAX_NAMES", 3)
    unknown = UnknownNames(Catalogue.load())
    for number in [*range(10), 0]:
        unknown.notice(touchpoint(type=f"zz{number}"))
    assert [(one.name, one.touchpoints) for one in unknown.found()] == [("zz0", 2), ("zz1", 1), ("zz2", 1)]
    assert unknown.uncounted == {"type": 7}
