"""What a load needs follows from figures that commands measure, grows with the load, and stands on its page."""

import json
import re
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from deploy.cli.main import build
from deploy.sizing import model
from deploy.sizing.document import DOCUMENT, WORDS, document, figures, rows
from deploy.sizing.model import Load, Size, size

ROOT = Path(__file__).parents[4]
LOADS = st.builds(
    Load,
    st.floats(0.01, 50_000),
    st.integers(1, 10**9),
    st.floats(1, 3_650),
    st.none() | st.floats(0.01, 50_000),
    st.floats(1, 20),
    st.floats(0.01, 1),
)
#: What a larger load never needs less of.
GROWING = (
    "partitions", "workers", "loaders", "collectors", "broker_cores", "broker_disk_gib", "broker_mib_per_second",
    "clickhouse_cores", "clickhouse_gib", "clickhouse_disk_gib", "tenant_identity_gib", "tenant_recovery_seconds",
    "tenant_decisions_share",
)  # fmt: skip


@given(LOADS, st.floats(1, 10), st.floats(1, 10), st.floats(1, 10))
def test_a_larger_load_never_needs_less(load: Load, events: float, people: float, days: float) -> None:
    larger = Load(
        load.events_per_second * events, int(load.profiles * people) + 1, load.retention_days * days,
        load.mean * events, load.identifiers_each, load.tenant_share,
    )  # fmt: skip
    small, large = size(load), size(larger)
    less = [name for name in GROWING if getattr(large, name) < getattr(small, name) * (1 - 1e-9)]
    assert less == []


@given(LOADS)
def test_every_worker_has_a_partition_and_the_peak_takes_half_of_its_core(load: Load) -> None:
    found = size(load)
    assert found.workers * 2 <= found.partitions
    busy = load.events_per_second * model.WORKER_US.value / 1e6 / found.workers
    assert busy <= model.LOAD.value
    held = load.profiles * model.PROFILE_BYTES.value + load.in_timelines * model.TIMELINE_BYTES.value
    assert held / found.workers <= model.WORKER_GIB.value * model.GIB


def test_a_timeline_forgets_by_number_and_the_tables_by_days() -> None:
    year, century = (size(Load(100, 1_000, days)) for days in (365, 36_500))
    assert year.worker_gib == century.worker_gib
    assert century.clickhouse_disk_gib > 50 * year.clickhouse_disk_gib


def test_a_hundred_million_identifiers_of_one_tenant_are_warned_of_and_several_tenants_help() -> None:
    alone = Load(1_000, 50_000_000, 365)
    assert 36 < size(alone).tenant_identity_gib < 38
    assert any("largest tenant's identity takes 37 GiB" in each for each in size(alone).warnings)
    assert not any("tenant" in each for each in size(replace(alone, tenant_share=0.1)).warnings)


def test_decisions_of_one_tenant_have_one_core() -> None:
    assert any("decisions take" in each for each in size(Load(200_000, 1_000, 1)).warnings)
    assert not any("decisions take" in each for each in size(Load(50_000, 1_000, 1)).warnings)


@pytest.mark.parametrize(
    "wrong", [{"profiles": 0}, {"events_per_second": -1}, {"tenant_share": 1.5}, {"mean_per_second": -1}]
)
def test_a_load_of_zero_or_less_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="above 0"):
        size(replace(Load(1, 1, 1), **wrong))


def test_every_measured_figure_names_a_command_that_exists() -> None:
    targets = {*re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)}
    for name, figure in figures():
        assert figure.value > 0
        words = figure.command.split()
        if words[:1] == ["make"]:
            assert words[1] in targets, name
        elif words:
            assert words[:2] == ["python", "-m"], name
            assert find_spec(words[2]), name
        else:
            assert len(figure.meaning.split()) > 3, f"{name} is chosen: say why"


def test_the_workers_and_the_loaders_cost_are_those_of_the_comparison() -> None:
    lines = json.loads((ROOT / "docs/peers.json").read_text())["lines"]
    cost = {line["what"]: line["cpu_per_million"] for line in lines}
    assert model.WORKER_US.value == pytest.approx(cost["touchline worker"], rel=0.02)
    assert model.LOADER_US.value == pytest.approx(cost["touchline loader"], rel=0.02)


def test_the_cost_of_a_funnel_is_that_of_the_analytics_page() -> None:
    lines = (ROOT / "docs/analytics.md").read_text().splitlines()
    (row,) = (line for line in lines if line.startswith("| funnel of 4 steps | 2,000 | 2,577"))
    seconds = float(row.split("|")[5])
    assert model.FUNNEL_S.value == pytest.approx(seconds / 10, rel=0.02)


def test_the_page_has_the_models_tables() -> None:
    text = DOCUMENT.read_text()
    assert document(text) == text, "run `python -m deploy.sizing.document`"
    with pytest.raises(ValueError, match="0 places for the table chosen"):
        document(text.replace("<!-- chosen -->", ""))


def test_everything_but_what_is_fixed_is_shown() -> None:
    assert Size.__dataclass_fields__.keys() - WORDS.keys() == {"worker_cores", "warnings"}
    assert len(rows(size(Load(1, 1, 1)))) == len(WORDS)


def test_the_command_prints_the_models_answer() -> None:
    asked = ["size", "--events-per-second", "3000", "--profiles", "100000000", "--retention", "180"]
    run = CliRunner().invoke(build(), [*asked, "--json"])
    told = json.loads(run.stdout)
    assert told["workers"] == size(Load(3_000, 100_000_000, 180)).workers
    assert told["warnings"]
    assert "warning: the largest tenant" in CliRunner().invoke(build(), asked).stdout
    assert CliRunner().invoke(build(), [*asked[:-1], "0"]).exit_code == 2
