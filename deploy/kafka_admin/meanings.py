"""The catalogue and the journey rules that the settings name, as far as ClickHouse's views need them."""

from schemas.catalogue import Catalogue
from schemas.settings import Settings
from sinks.clickhouse.write.catalogue import Meanings
from streams.journeys.rules.rules import JourneyRules


def meanings(settings: Settings) -> Meanings:
    """Read both files. Raises SettingsError naming file, line and fix."""
    rules = JourneyRules.load(settings.journey_rules)
    catalogue = Catalogue.load(settings.catalogue)
    return Meanings(
        catalogue, session_gap_ms=rules.session_gap_ms, session_cap_ms=rules.session_cap_ms,
        issue_overdue_ms=rules.issue_overdue_ms,
    )  # fmt: skip
