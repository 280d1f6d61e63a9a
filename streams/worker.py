"""The worker: reads policy, catalogue and rules once, and connects the agents to one application."""

from collections.abc import Callable

from schemas.catalogue import Catalogue
from schemas.encoding.confluent import RegistryClient
from schemas.health import Health, Heartbeat
from schemas.settings import Settings
from streams.accounts.agent import Accounts
from streams.core import choose_core
from streams.identity.agent import Identity
from streams.identity.policy.load import configured
from streams.journeys.agent import Journeys
from streams.journeys.rules.rules import JourneyRules
from streams.monitor import WorkerMonitor
from streams.process import WorkerProcess
from streams.runtime.app import WorkerApp
from streams.runtime.lifecycle import announce
from streams.runtime.standby import Standbys
from streams.stitch.agent import Stitch


def build(settings: Settings) -> tuple[WorkerApp, WorkerMonitor]:
    """Build the application, and what looks at it, from the settings.

    Raises SettingsError before it connects to anything.
    """
    policy = configured(settings)
    catalogue = Catalogue.load(settings.catalogue)
    rules = JourneyRules.load(settings.journey_rules)
    registry = RegistryClient(settings.registry()) if settings.registry_url else None
    core = choose_core(settings.core, catalogue, rules)
    app = WorkerApp(settings)
    agents = (
        Stitch(app, policy, catalogue, registry),
        Identity(app, policy),
        Journeys(app, catalogue, rules),
        Accounts(app, rules),
    )
    standbys = Standbys(app)
    if settings.standby_replicas:
        for agent in agents:
            standbys.add(agent.state)
        app.task(standbys.run)
    return app, WorkerMonitor(app, core, standbys, *agents)


def run(settings: Settings, observe: Callable[[Health], object] = lambda _: None) -> None:
    """Run a worker until SIGTERM or SIGINT. Raises TouchlineError if it fails; it may be started again at once.

    `observe` gets its health before it starts: its heartbeat has begun.
    """
    app, monitor = build(settings)
    announce(app)
    app.finalize()
    process = WorkerProcess(app)
    heartbeat = Heartbeat()
    heartbeat.start(process.loop)
    observe(monitor.health(heartbeat))
    process.execute()
