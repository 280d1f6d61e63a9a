"""Sends what the collector could not take through again: its items become touchpoints as if they came now."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from deploy.kafka_admin.topics import require_topic
from deploy.repair.dead_letters.fix import Fix
from schemas.catalogue import Catalogue
from schemas.keys import partition_of
from schemas.records import DeadLetter
from schemas.settings import Settings
from schemas.topics import TOUCHPOINTS
from streams.collect.again import read_again
from streams.collect.keys import WriteKey
from streams.collect.keys_file import load_keys
from streams.collect.mapping_file import built_in
from streams.collect.outgoing import record
from streams.identity.policy.load import configured
from streams.identity.policy.policy import IdentityPolicy


@dataclass(frozen=True)
class Collected:
    """The collector's part in a replay. What it needs is read at the first letter of the collector."""

    settings: Settings

    @cached_property
    def policy(self) -> IdentityPolicy:
        """The policy that pseudonymises what the letters hold in clear. Raises SettingsError."""
        return configured(self.settings)

    @cached_property
    def partitions(self) -> int:
        """Of the topic of touchpoints. Raises SettingsError, UnavailableError."""
        return require_topic(self.settings, self.settings.topic(TOUCHPOINTS.name))

    @cached_property
    def _keys(self) -> dict[str, WriteKey]:
        path = self.settings.collector_keys
        return {key.sender.name: key for key in load_keys(path).values()} if path else {}

    @cached_property
    def _catalogue(self) -> Catalogue:
        return Catalogue.load(self.settings.catalogue)

    def touchpoint(self, letter: DeadLetter, fix: Fix | None) -> tuple[bytes, bytes, int]:
        """Key, value and partition of the touchpoint in a letter, mended by `fix` if there is one.

        Raises ContractError if it still cannot be taken, SettingsError and UnavailableError.
        """
        form: dict[str, Any] = read_again(letter, self._keys, built_in())
        if fix is not None:
            form = fix.mend(form, letter["recorded_at"])
        key, value = record(form, self.policy, self._catalogue, letter["recorded_at"])
        return key, value, partition_of(key, self.partitions)
