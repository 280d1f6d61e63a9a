"""`touchline up`: the whole of Touchline on this machine, in the foreground."""

import os
import shutil
import signal
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.live import Live

from deploy.cli.context import Context
from deploy.cli.output import console, print_json, remarks, say
from deploy.kafka_admin.status import Observer, Status
from deploy.sandbox.lock import locked
from deploy.sandbox.stack import SANDBOX, Plan, Stack
from deploy.screens.deployment.display import Rates, line, rates, table
from schemas.errors import TouchlineError

LIVE_SECONDS: Final = 1.0  #: between two status readings in a terminal
LINE_SECONDS: Final = 5.0  #: between two lines in a log
WATCH_SECONDS: Final = 0.25  #: between two checks that everything lives


def command(
    broker: Annotated[
        str, typer.Option(help="sandbox (in memory), kafka (Apache Kafka) or HOST:PORT.")
    ] = SANDBOX,
    clickhouse: Annotated[
        str, typer.Option(help="sandbox or clickhouse://USER:PASSWORD@HOST:PORT/DATABASE.")
    ] = SANDBOX,
    data: Annotated[
        Path | None, typer.Option(help="Keep data, key and logs here; needs --broker kafka.")
    ] = None,
    workers: Annotated[int, typer.Option(help="Worker processes.", min=0)] = 1,
    kafka_port: Annotated[
        int, typer.Option(help="Port of the broker; 0 for a free one.", min=0, max=65535)
    ] = 9092,
    clickhouse_port: Annotated[
        int, typer.Option(help="ClickHouse's native port; 0 for a free one.", min=0, max=65535)
    ] = 9000,
    clickhouse_http_port: Annotated[
        int, typer.Option(help="ClickHouse's HTTP port; 0 for a free one.", min=0, max=65535)
    ] = 8123,
    partitions: Annotated[
        int | None, typer.Option(help="Of each topic; default TOUCHLINE_PARTITIONS.", min=1)
    ] = None,
    page: Annotated[bool, typer.Option(help="Serve the live page.")] = True,
    page_port: Annotated[int, typer.Option(help="Its port; 0 for a free one.", min=0, max=65535)] = 8470,
    serve: Annotated[bool, typer.Option(help="Serve states and streams to subscribers.")] = True,
    serve_port: Annotated[int, typer.Option(help="Its port; 0 for a free one.", min=0, max=65535)] = 8490,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object every few seconds.")] = False,
) -> None:
    """Start broker, topics, ClickHouse, tables, workers, loader, live page and the service of subscribers
    on loopback, and show what they do.

    Stops all of it on Ctrl-C. Without --data everything is thrown away at the end.

    Examples: touchline up · touchline up --broker kafka --data ./data --workers 2
    """
    base = Context.from_env().settings
    if partitions is not None:
        base = replace(base, partitions=partitions)
    run_dir = data.resolve() if data is not None else Path(tempfile.mkdtemp(prefix="touchline-"))
    try:
        plan = Plan(
            run_dir,
            broker,
            clickhouse,
            data is not None,
            workers,
            kafka_port,
            clickhouse_port,
            clickhouse_http_port,
            page_port if page else None,
            serve_port if serve else None,
        )
        with locked(run_dir):
            _run(Stack(plan, base, os.environ), as_json=as_json)
    except TouchlineError:
        _clean(data, run_dir, keep_logs=True)
        raise
    except KeyboardInterrupt:
        _clean(data, run_dir)
        raise
    _clean(data, run_dir)


def _run(stack: Stack, *, as_json: bool) -> None:
    """Start, show until interrupted, stop. An interruption after the start is the normal end."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    began = time.monotonic()
    try:
        stack.start(_note)
        _note(f"logs: {stack.logs}")
        _note(f"ready after {time.monotonic() - began:.1f} s; in another terminal: source {stack.env_file}")
        try:
            _show(stack, as_json=as_json)
        except KeyboardInterrupt:
            _note("stopping (Ctrl-C again: at once)")
    finally:
        try:
            stack.stop(_note)
        except KeyboardInterrupt:
            stack.kill()
            raise
    _note("stopped")


def _show(stack: Stack, *, as_json: bool) -> None:
    with Observer(stack.settings) as observer:
        if as_json:
            _look(stack, observer, LINE_SECONDS, lambda status, *_: print_json(status.to_dict()), _note)
        elif not console.is_terminal:
            _look(stack, observer, LINE_SECONDS, lambda *seen: say(line(*seen)), _note)
        else:
            with Live(console=console, auto_refresh=False) as live:
                # remarks go through the live table's console, so that they scroll by above it
                _look(
                    stack, observer, LIVE_SECONDS, lambda *seen: live.update(table(*seen), refresh=True),
                    lambda text: live.console.print(text, markup=False),
                )  # fmt: skip


def _look(
    stack: Stack,
    observer: Observer,
    pause: float,
    show: Callable[[Status, Rates, int], None],
    note: Callable[[str], None],
) -> None:
    """Read and show the status for ever; in between, check that every process lives."""
    before: Status | None = None
    while True:
        status = observer.look()
        show(status, rates(before, status), stack.restarts())
        before = status
        until = time.monotonic() + pause
        while time.monotonic() < until:
            stack.watch(note)
            time.sleep(WATCH_SECONDS)


def _clean(data: Path | None, run_dir: Path, *, keep_logs: bool = False) -> None:
    """Throw a temporary run directory away; after a failure all but its logs."""
    if data is not None:
        return
    if keep_logs and (run_dir / "logs").is_dir():
        for item in run_dir.iterdir():
            if item.name != "logs":
                shutil.rmtree(item) if item.is_dir() else item.unlink()
    else:
        shutil.rmtree(run_dir)


def _note(text: str) -> None:
    remarks.print(text, markup=False, soft_wrap=True)
