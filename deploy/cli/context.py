"""What a command starts from: settings, clock, and the policy, catalogue and rules that the settings name."""

import logging
from dataclasses import dataclass, field
from functools import cached_property
from time import time
from typing import TYPE_CHECKING

from deploy.cli.times import moment
from schemas.catalogue import Catalogue
from schemas.errors import SettingsError
from schemas.settings import Settings
from schemas.touchpoint.rules import MAX_FUTURE_MS
from streams.journeys.rules.rules import JourneyRules

if TYPE_CHECKING:
    from streams.identity.policy.policy import IdentityPolicy


@dataclass(frozen=True)
class Context:
    """One run of a command. Files that the settings name are read at the first use, and read once."""

    settings: Settings
    started: float = field(default_factory=time)  #: seconds since the epoch

    @classmethod
    def from_env(cls) -> "Context":
        """The context of this environment. Raises SettingsError.

        Silences kafka-python, which warns of expected conditions and repeats itself while a broker is down: the
        command's error sentence says it once.
        """
        logging.getLogger("kafka").setLevel(logging.CRITICAL)
        return cls(Settings.from_env())

    @cached_property
    def policy(self) -> "IdentityPolicy":
        """The identity policy. Raises SettingsError."""
        return self.policy_of(self.settings.identity_policy)

    @cached_property
    def catalogue(self) -> Catalogue:
        """The catalogue. Raises SettingsError."""
        return Catalogue.load(self.settings.catalogue)

    @cached_property
    def rules(self) -> JourneyRules:
        """The journey rules. Raises SettingsError."""
        return JourneyRules.load(self.settings.journey_rules)

    @property
    def now(self) -> int:
        """When the command started, UTC ms."""
        return int(self.started * 1000)

    def policy_of(self, path: str, named_by: str = "TOUCHLINE_IDENTITY_POLICY") -> "IdentityPolicy":
        """The policy in a file, with the configured key. Raises SettingsError, which blames `named_by`."""
        # commands without a policy start faster when the parser of phone numbers is not imported
        from streams.identity.policy.load import configured

        return configured(self.settings, path, named_by)

    def identity_file(self, option: str | None) -> tuple[str, str]:
        """The policy file of `--identity`, else the configured one, and the name of what chose it."""
        if option:
            return option, "--identity"
        return self.settings.identity_policy, "TOUCHLINE_IDENTITY_POLICY"

    def moment(self, text: str | None, option: str) -> int:
        """UTC ms of a time that a person wrote (see `times.moment`); the start of the command if it is None.

        Raises SettingsError naming the option.
        """
        return self.now if text is None else moment(text, option, self.started)

    def end(self, text: str | None, option: str) -> int:
        """As `moment`, for what applies to everything up to a time.

        Raises SettingsError, too, for a time as far ahead as no touchpoint is accepted: what a person does from now on
        would never count.
        """
        until = self.moment(text, option)
        if until > self.now + MAX_FUTURE_MS:
            raise SettingsError(
                f"{option} is {text!r}, more than {MAX_FUTURE_MS // 3_600_000} hours ahead: what happens until then"
                " would never count; leave it out for now"
            )
        return until
