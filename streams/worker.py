"""The worker: reads policy, catalogue and rules once, and connects the agents to one application."""

from schemas.catalogue import Catalogue
from schemas.encoding.confluent import RegistryClient
from schemas.settings import Settings
from streams.accounts.agent import Accounts
from streams.core import choose_core
from streams.identity.agent import Identity
from streams.identity.policy.load import configured
from streams.journeys.agent import Journeys
from streams.journeys.rules.rules import JourneyRules
from streams.process import WorkerProcess
from streams.runtime.app import WorkerApp
from streams.runtime.lifecycle import announce
from streams.stitch.agent import Stitch


def build(settings: Settings) -> WorkerApp:
    """Build the application from the settings. Raises SettingsError before it connects to anything."""
    policy = configured(settings)
    catalogue = Catalogue.load(settings.catalogue)
    rules = JourneyRules.load(settings.journey_rules)
    registry = RegistryClient(settings.registry()) if settings.registry_url else None
    choose_core(settings.core, catalogue, rules)
    app = WorkerApp(settings)
    Stitch(app, policy, catalogue, registry)
    Identity(app, policy)
    Journeys(app, catalogue, rules)
    Accounts(app, rules)
    return app


def run(settings: Settings) -> None:
    """Run a worker until SIGTERM or SIGINT. Raises TouchlineError if it fails; it may be started again at once."""
    app = build(settings)
    announce(app)
    app.finalize()
    WorkerProcess(app).execute()
