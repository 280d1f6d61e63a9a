"""A soak: `make soak-hours HOURS=8`, or for instance

    python -m tests.soak --hours 1 --rate 200 --folder FOLDER --plot FOLDER/soak.svg

Two workers, a loader, Apache Kafka that compacts, ClickHouse; a steady load with merges and erasures; every few minutes
one of the five processes is killed. The folder gets the samples, a line of JSON every few seconds, a summary, and a
table of what grew. Exit code 1 if anything grows faster than its bound, if a process died by itself, or if the end is
not what a replay of everything published says. The oracle at the end keeps all touchpoints in memory.
"""

import json
import logging
import shutil
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import typer

from deploy.cli.output import remarks
from tests.faults.arena import arena
from tests.faults.oracle import judge as judge_state
from tests.soak.growth import SERIES, Growth, judge, pace_of
from tests.soak.play import Plan, Soak, deployed
from tests.soak.report import markdown, plot, read


def main(
    hours: Annotated[float, typer.Option(help="How long.")] = 8.0,
    rate: Annotated[float, typer.Option(help="Touchpoints a second.")] = 200.0,
    people: Annotated[int, typer.Option(help="Simulated people at a time.")] = 5_000,
    cohort_minutes: Annotated[float, typer.Option(help="After which others come in their place.")] = 5.0,
    seed: Annotated[int, typer.Option(help="Of people and what they do.")] = 1,
    restart_minutes: Annotated[float, typer.Option(help="Between two kills.")] = 10.0,
    sample_seconds: Annotated[float, typer.Option(help="Between two samples.")] = 10.0,
    erase_seconds: Annotated[float, typer.Option(help="Between two erasures.")] = 30.0,
    retention_minutes: Annotated[float, typer.Option(help="Of topics that are not compacted.")] = 15.0,
    warm_up_minutes: Annotated[float, typer.Option(help="At the start: growth is not judged.")] = 20.0,
    folder: Annotated[Path, typer.Option(help="For what was seen.")] = Path(".cache/soak"),
    plot_file: Annotated[Path | None, typer.Option("--plot", help="Draw it: .svg or .png.")] = None,
    again: Annotated[
        bool, typer.Option(help="Judge and draw what the folder has, and play nothing.")
    ] = False,
) -> None:
    """Play the soak, or judge one that was played."""
    logging.getLogger("kafka").setLevel(logging.CRITICAL)  # brokers die here all the time
    folder.mkdir(parents=True, exist_ok=True)
    samples, summary = folder / "samples.jsonl", folder / "summary.json"
    if not again:
        samples.unlink(missing_ok=True)
        plan = Plan(
            hours,
            rate,
            people,
            seed,
            restart_minutes,
            sample_seconds,
            erase_seconds,
            retention_minutes,
            cohort_minutes,
        )
        summary.write_text(json.dumps(_play(plan, samples), indent=1) + "\n")
    found = report(folder, warm_up_minutes * 60, plot_file)
    problems = json.loads(summary.read_text())["problems"] if summary.exists() else ["the soak has not ended"]
    problems += [f"{one.name} grows too much" for one in found if not one.right]
    for problem in problems:
        remarks.print(problem, markup=False)
    if problems:
        raise typer.Exit(1)


def _play(plan: Plan, file: Path) -> dict[str, Any]:
    with arena() as where:
        remarks.print(f"logs and data: {where.folder}", markup=False)
        with deployed(where, plan) as trial:
            soak = Soak(trial, plan, file, lambda text: remarks.print(text, markup=False))
            count = soak.run()
            remarks.print(f"published {count:,}; draining")
            seconds = soak.drain()
            remarks.print(f"drained in {seconds:.0f} s; replaying")
            trial.events += islice(plan.load.touchpoints(), count)
            verdict = judge_state(trial)
            ((erasures,),) = trial.live.query("SELECT count() FROM erasure_receipts FINAL")
        problems = [f"a process ended by itself, {said}" for said in soak.by_themselves] + trial.notes
        right = not (
            verdict.lost or verdict.duplicates or verdict.strangers or verdict.wrong_owners
            or verdict.wrong_states or verdict.overcommitted
        )  # fmt: skip
        if not right:
            problems.append(f"the end is not what a replay says: {verdict}")
        summary = {
            "plan": asdict(plan), "published": count, "drained_s": round(seconds), "receipts": erasures,
            "kills": len(soak.deaths), "restarts": trial.restarts, "verdict": asdict(verdict), "problems": problems,
        }  # fmt: skip
    if not problems:
        shutil.rmtree(where.folder, ignore_errors=True)
    return summary


def report(folder: Path, warm_up: float, plot_file: Path | None) -> list[Growth]:
    """Judge what the folder's samples say, and write it into the folder. `warm_up` in seconds."""
    samples, deaths = read(folder / "samples.jsonl")
    pace = pace_of(samples, warm_up)
    found = [judge(series, samples, pace, warm_up) for series in SERIES]
    (folder / "growth.md").write_text(markdown(found) + "\n")
    if plot_file is not None and samples:
        last = samples[-1]
        title = f"{last['at'] / 3600:.1f} hours, {last['published']:,} touchpoints, {len(deaths)} processes killed"
        plot(samples, deaths, plot_file, title)
    return found


if __name__ == "__main__":
    typer.run(main)
