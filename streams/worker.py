"""The worker process: policy, catalogue and rules read once, the agents wired into one application."""

from schemas.catalogue import Catalogue
from schemas.confluent import RegistryClient
from schemas.settings import Settings
from streams.accounts.agent import Accounts
from streams.identity.agent import Identity
from streams.identity.load_policy import load as load_policy
from streams.journeys.agent import Journeys
from streams.journeys.rules import JourneyRules
from streams.process import WorkerProcess
from streams.runtime.app import WorkerApp
from streams.stitch.agent import Stitch


def build(settings: Settings) -> WorkerApp:
    """Put the application together. Raises SettingsError before anything is connected."""
    policy = load_policy(settings.identity_policy, settings.pseudonym_secret(), settings.pseudonym_key_id)
    catalogue = Catalogue.load(settings.catalogue)
    rules = JourneyRules.load(settings.journey_rules)
    registry = RegistryClient(settings.registry_url) if settings.registry_url else None
    app = WorkerApp(settings)
    Stitch(app, policy, catalogue, registry)
    Identity(app, policy)
    Journeys(app, catalogue, rules)
    Accounts(app, rules)
    return app


def run(settings: Settings) -> None:
    """Run a worker until SIGTERM or SIGINT. Raises TouchlineError when it cannot go on: start it again."""
    app = build(settings)
    app.finalize()
    WorkerProcess(app).execute()
