"""journey.toml: what it may say, and what it hears when it says something else."""

from pathlib import Path

import pytest

from schemas.errors import SettingsError
from streams.journeys.rules.rules import KINDS, JourneyRules
from tests.support.journeys import DAY, MINUTE


def test_the_built_in_rules_raise_every_kind_of_signal() -> None:
    rules = JourneyRules.load()
    assert rules.enabled == set(KINDS) == set(rules.words)
    assert (rules.session_gap_ms, rules.session_cap_ms) == (30 * MINUTE, 3 * DAY)


def test_a_file_names_only_what_it_changes(tmp_path: Path) -> None:
    path = tmp_path / "journey.toml"
    path.write_text("[sessions]\ngap_minutes = 45\n[signals.detractor]\nat_most = 5\n")
    rules = JourneyRules.load(str(path))
    assert (rules.session_gap_ms, rules.session_cap_ms) == (45 * MINUTE, 3 * DAY)
    assert rules.words["detractor"] == "the last NPS answer is 5 or less"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[sessions]\n\ngap_minutes = 'half'", "line 3: sessions.gap_minutes is 'half': it must be a number"),
        ("[sessions]\ngap_minutes = 0", "line 2: sessions.gap_minutes is 0: it must be a number from 1"),
        ("[sessions]\ngap = 5", "line 2: sessions.gap is no rule"),
        ("[signals.repeat_contact]\ncontacts = 2.5", "it must be a whole number from 2"),
        ("[signals.detractor]\nenabled = 1", "line 2: signals.detractor.enabled is 1: use true or false"),
        ("[signals.detractor]\nat_most = true", "signals.detractor.at_most is True"),
        ("[signals.friction_spike]\nat_least = nan", "signals.friction_spike.at_least is nan"),
        ("[signals.rage]\nenabled = true", "line 2: signals.rage.enabled is no rule"),
        ("gap", "mine.toml is not TOML"),
    ],
)
def test_a_wrong_rule_is_named_with_its_line_and_its_fix(text: str, sentence: str) -> None:
    with pytest.raises(SettingsError) as error:
        JourneyRules.parse(text, "mine.toml")
    assert sentence in str(error.value)
    assert "mine.toml" in str(error.value)


def test_a_missing_file_names_the_setting() -> None:
    with pytest.raises(
        SettingsError, match="TOUCHLINE_JOURNEY_RULES names a file that cannot be read: /no/such"
    ):
        JourneyRules.load("/no/such/journey.toml")
