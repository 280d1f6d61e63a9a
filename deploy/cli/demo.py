"""`touchline demo`: the main job on an embedded sandbox, from nothing to live journeys."""

import os
import shutil
import signal
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.live import Live

from deploy.cli.context import Context
from deploy.cli.output import console, remarks, say
from deploy.ingest.publisher import publish
from deploy.kafka_admin.status import Observer, Status
from deploy.ports import LOOPBACK
from deploy.sandbox.stack import SANDBOX, Plan, Stack
from deploy.screens.demo import views
from deploy.simulation.people import PEOPLE, SEEDS
from deploy.simulation.population import Population, simulate
from schemas.errors import TouchlineError
from schemas.settings import Settings
from schemas.touchpoint.json_form import DEFAULT_TENANT
from sinks.clickhouse.connection import connect
from sinks.clickhouse.write.reconcile.reconciliation import Reconciliation

LOOK_SECONDS: Final = 1.0
LINE_SECONDS: Final = 5.0
PATIENCE_SECONDS: Final = 120.0  #: for the last events to arrive, once all are published


def command(
    people: Annotated[int, typer.Option(help="Simulated people.", min=1, max=PEOPLE)] = 800,
    events: Annotated[int, typer.Option(help="Touchpoints to publish.", min=1)] = 20_000,
    rate: Annotated[float, typer.Option(help="Touchpoints a second.", min=1)] = 1_000,
    seed: Annotated[int, typer.Option(help="Of the simulation.", min=0, max=SEEDS - 1)] = 7,
    broker: Annotated[str, typer.Option(help="sandbox (in memory) or kafka (Apache Kafka).")] = SANDBOX,
    stay: Annotated[bool, typer.Option("--stay", help="Keep everything running until Ctrl-C.")] = False,
) -> None:
    """Start a sandbox, publish a simulated population at a visible pace and watch the journeys grow.

    Example: touchline demo --events 50000 --rate 2000 --stay
    """
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    run_dir = Path(tempfile.mkdtemp(prefix="touchline-demo-"))
    stack = Stack(Plan(run_dir, broker, page_port=0, serve_port=0), Context.from_env().settings, os.environ)
    try:
        stack.start(_note)
        _note(f"see them live: http://{LOOPBACK}:{stack.page_port}/t/{DEFAULT_TENANT}/?range=all")
        _note(f"publishing {events:,} touchpoints of {people:,} simulated people, {rate:,.0f} a second")
        feed = Feed(stack.settings, Population(people=people, events=events, seed=seed), rate)
        _watch(stack, feed)
        _conclude(stack)
        if stay:
            _stay(stack)
    finally:
        try:
            stack.stop(_note)
        except KeyboardInterrupt:
            stack.kill()
        shutil.rmtree(run_dir, ignore_errors=True)


class Feed:
    """Publishes the population from a thread of its own."""

    def __init__(self, settings: Settings, population: Population, rate: float) -> None:
        self._settings = settings
        self._population = population
        self._rate = rate
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="feed", daemon=True)
        self._thread.start()

    @property
    def running(self) -> bool:
        """Whether there is more to publish. Raises the exception that ended the thread."""
        if self._error is not None:
            raise self._error
        return self._thread.is_alive()

    def _run(self) -> None:
        settings = self._settings
        policy = Context(settings).policy
        try:
            publish(simulate(self._population), settings, policy, rate=self._rate)
        except Exception as error:  # noqa: BLE001 (whatever it is, the main thread raises it)
            self._error = error


def _watch(stack: Stack, feed: Feed) -> None:
    """Show the journeys until everything published has arrived in ClickHouse."""
    with Observer(stack.settings) as observer, _asking(stack.settings) as ask:
        if console.is_terminal:
            with Live(console=console, auto_refresh=False) as screen:
                for status in _looks(stack, feed, observer, LOOK_SECONDS):
                    screen.update(views.live(status, ask), refresh=True)
        else:
            for status in _looks(stack, feed, observer, LINE_SECONDS):
                say(views.line(status, ask))


def _looks(stack: Stack, feed: Feed, observer: Observer, pause: float) -> Iterator[Status]:
    """Read the status every `pause` seconds, until the deployment has read everything."""
    give_up: float | None = None
    while True:
        stack.watch(_note)
        done = not feed.running
        status = observer.look()
        yield status
        if done and status.idle:
            return
        if done:
            give_up = give_up or time.monotonic() + PATIENCE_SECONDS
            if time.monotonic() > give_up:
                raise TouchlineError(
                    f"the last events did not arrive in {PATIENCE_SECONDS:.0f} s: see {stack.logs}"
                )
        time.sleep(min(pause, 1.0) if done else pause)


def _conclude(stack: Stack) -> None:
    _reconcile(stack.settings)
    with _asking(stack.settings) as ask:
        totals = views.figures(ask)
        console.print(views.summary(ask))
    say(
        f"{totals.touchpoints:,} distinct touchpoints became {totals.profiles:,} journeys: {totals.orders:,} orders,"
        f" {totals.abandoned:,} of {totals.carts:,} carts abandoned, {totals.handoffs:,} times somebody had to go"
        f" from a digital channel to a human one, {totals.with_open_issue:,} people wait for an answer."
    )


def _reconcile(settings: Settings) -> None:
    """Do at once what the loader would do within a minute, so that the last figures are final."""
    reconciliation = Reconciliation(settings.clickhouse())
    try:
        reconciliation.run_all()
    finally:
        reconciliation.close()


def _stay(stack: Stack) -> None:
    say("The sandbox stays up until Ctrl-C. In a browser:")
    say(f"  http://{LOOPBACK}:{stack.page_port}/t/{DEFAULT_TENANT}/?range=all")
    say("In another terminal:")
    say(f"  source {stack.env_file}")
    for example in (
        'touchline query "SELECT * FROM journey_stages"',
        'touchline query "SELECT kind, rule, details FROM signals_open LIMIT 5"',
        'touchline query "SELECT started_at, channels, types FROM sessions ORDER BY touchpoints DESC LIMIT 3"',
        "touchline simulate --people 50 --events 1000 --seed 8 | touchline publish -",
        "touchline status",
    ):
        say(f"  {example}")
    try:
        while True:
            stack.watch(_note)
            time.sleep(0.25)
    except KeyboardInterrupt:
        _note("stopping")


@contextmanager
def _asking(settings: Settings) -> Iterator[views.Ask]:
    client = connect(settings.clickhouse())

    def ask(sql: str) -> Sequence[tuple[Any, ...]]:
        rows: Sequence[tuple[Any, ...]] = client.execute(sql)
        return rows

    try:
        yield ask
    finally:
        client.disconnect()


def _note(text: str) -> None:
    remarks.print(text, markup=False, soft_wrap=True)
