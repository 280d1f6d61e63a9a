"""The present state of everybody, beside a service: by profile id, by identifier, by account. Follows merges."""

import logging
import os
import shutil
import sqlite3
import tempfile
import threading
import time
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from kafka import TopicPartition
from kafka.errors import KafkaError

from deploy.kafka_admin.client import consumer, fetched_ends, require_broker
from schemas.encoding.record_types import JOURNEY_STATE
from schemas.errors import TouchlineError, UnavailableError
from schemas.records import AccountState, JourneyState
from schemas.settings import Settings
from schemas.topics import TOMBSTONE_MS
from sinks.subscribers.table.database import Deployment
from sinks.subscribers.table.entries import FOLLOWED
from sinks.subscribers.table.store import SCRUB_SECONDS, Row, StateTable
from streams.identity.policy.load import configured
from streams.identity.policy.policy import IdentityPolicy

#: A table that was not up to date for longer may have missed a tombstone, and is built anew.
AWAY_SECONDS: Final = TOMBSTONE_MS / 1000
AGAIN_SECONDS: Final = 2.0
_LOOK_SECONDS: Final = 3.0  #: between two looks at the ends of the topics
_NOTE_SECONDS: Final = 60.0  #: between two notes on disk of how fresh the table is
_FORGET_SECONDS: Final = 3600.0
_POLL_MS: Final = 200
_BATCH: Final = 2000
_FILE: Final = "states.table"

log: Final = logging.getLogger("touchline.sdk")


class JourneyTable:
    """A local copy of all states, which a thread keeps up to date; a context manager, safe for threads.

    It belongs to no consumer group: each process that has one reads everything. It is on disk, in `store` or in a
    temporary folder, and takes some 40 MiB of memory however many people there are.
    """

    def __init__(
        self, settings: Settings | None = None, *, store: str | os.PathLike[str] | None = None
    ) -> None:
        """Open the table and begin to follow the topics.

        `settings` are those of the environment if left out. `store` is a folder of this process alone, from which the
        next one goes on; without it the table is built anew each time. Raises SettingsError, UnavailableError.
        """
        self._settings = settings or Settings.from_env()
        self._temporary = None if store else tempfile.mkdtemp(prefix="touchline-table-")
        folder = Path(self._temporary or str(store))
        self._table = StateTable.open(
            folder / _FILE, Deployment(self._settings.topic_prefix, self._settings.epoch)
        )
        self._changed = threading.Condition()
        self._stopping = False
        self._fresh = False
        self._problem: str | None = None
        self._noted_at = float("-inf")
        self._forgot_at = self._scrubbed_at = time.monotonic()
        self._thread = threading.Thread(target=self._run, name="touchline-table", daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop following, and give the store back."""
        with self._changed:
            if self._stopping:
                return
            self._stopping = True
            self._changed.notify_all()
        self._thread.join()
        self._table.close()
        if self._temporary is not None:
            shutil.rmtree(self._temporary, ignore_errors=True)

    def wait(self, timeout: float = 60.0) -> None:
        """Wait until the table has all that the topics had when it began. Raises UnavailableError with the reason."""
        with self._changed:
            self._changed.wait_for(lambda: self._fresh or self._stopping, timeout)
            if not self._fresh:
                why = self._problem or "it reads more than it can in that time"
                raise UnavailableError(f"the table is not up to date after {timeout:g} seconds: {why}")

    @property
    def problem(self) -> str | None:
        """Why the table is not kept up to date now, as a sentence; None if all is well."""
        return self._problem

    def get(self, profile_id: str, tenant: str = "default") -> JourneyState | None:
        """The present state of a person. An id from before a merge finds the survivor. None: nobody, or erased."""
        return _decoded(self._table.person(tenant, profile_id))

    def get_by_identifier(self, type_: str, value: str, tenant: str = "default") -> JourneyState | None:
        """The present state of whoever owns an identifier now, as the person says it: `email`, `Ann@Example.org`.

        Needs the deployment's identity policy and pseudonymisation key in the settings. Raises SettingsError.
        """
        usable = self._policy.for_tenant(tenant).usable([{"type": type_, "value": value}])
        if not usable:
            return None  # the policy blocks the value: it stands for nobody
        profile = self._table.profile_of(tenant, usable[0]["type"], usable[0]["value"])
        return _decoded(self._table.person(tenant, profile))

    @cached_property
    def _policy(self) -> IdentityPolicy:
        """Read at the first use: who asks by profile id needs no secret."""
        return configured(self._settings)

    def survivor(self, profile_id: str, tenant: str = "default") -> str:
        """The profile that an id stands for now: after merges the survivor, else the id itself."""
        return self._table.survivor(tenant, profile_id)

    def get_account(self, account_id: str, tenant: str = "default") -> AccountState | None:
        """The present state of a business account."""
        return self._table.account(tenant, account_id)

    # -- the thread --------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._stopping:
            client: Any = None
            try:
                client = consumer(self._settings, auto_offset_reset="earliest", max_poll_records=_BATCH)
                self._follow(client)
            except (TouchlineError, KafkaError, OSError) as error:
                self._note(
                    str(error) if isinstance(error, TouchlineError) else f"{type(error).__name__}: {error}"
                )
            except sqlite3.Error as error:
                self._note(f"the store fails: {error}")
            except Exception as error:  # else the thread would end, and the table grow old without a word
                log.exception("the table meets something unexpected, and tries again")
                self._note(f"something unexpected: {type(error).__name__}")
            finally:
                if client is not None:
                    client.close(autocommit=False)
            with self._changed:
                self._changed.wait_for(lambda: self._stopping, AGAIN_SECONDS)

    def _note(self, problem: str) -> None:
        if problem != self._problem:
            log.warning("the table waits: %s", problem)
        self._problem = problem

    def _follow(self, client: Any) -> None:
        places = self._places(client)
        client.assign(list(places))
        ends = client.end_offsets(list(places))
        began_at = looked_at = time.time()
        self._begin(client, places, ends, began_at)
        self._problem = None
        while not self._stopping:
            polled = client.poll(timeout_ms=_POLL_MS)
            records = [record for part in polled.values() for record in part]
            if records:
                rejected = self._table.apply(records).rejected
                if rejected:
                    log.warning("%d records cannot be read: is this SDK older than the deployment?", rejected)
            if all(client.position(place) >= end for place, end in ends.items()):
                self._note_fresh(looked_at)
            if time.time() - looked_at >= _LOOK_SECONDS:
                require_broker(
                    self._settings.brokers
                )  # a fetch from a broker that is away just returns nothing
                ends, looked_at = client.end_offsets(list(places)), time.time()

    def _places(self, client: Any) -> dict[TopicPartition, str]:
        found = {}
        for topic in FOLLOWED:
            name = self._settings.topic(topic.name)
            numbers = client.partitions_for_topic(name)
            if not numbers:
                raise UnavailableError(
                    f"there is no topic {name} at {self._settings.brokers}: run `touchline topics`"
                )
            found.update({TopicPartition(name, number): topic.name for number in sorted(numbers)})
        return found

    def _begin(
        self, client: Any, places: dict[TopicPartition, str], ends: dict[Any, int], now: float
    ) -> None:
        """Go to where the table stands, or to the beginning if it cannot be read on from there."""
        known = self._table.positions()
        fresh_at = self._table.caught_up_at()
        doubtful = {
            place: known[topic, place.partition]
            for place, topic in places.items()
            if known.get((topic, place.partition), 0) > ends[place]
        }
        for place, read in doubtful.items():
            client.seek(place, read)
        anew = any(end < doubtful[place] for place, end in fetched_ends(client, doubtful).items())
        if known and (anew or fresh_at is None or now - fresh_at > AWAY_SECONDS):
            log.warning("the table is built anew: it may have missed the end of somebody")
            self._table.clear()
            known = {}
        if not known:
            self._table.note_caught_up(now)  # nothing was read before, so nothing was missed
        for place, topic in places.items():
            offset = known.get((topic, place.partition))
            if offset is None:
                client.seek_to_beginning(place)
            else:
                client.seek(place, offset)

    def _note_fresh(self, at: float) -> None:
        if at - self._noted_at >= _NOTE_SECONDS:
            self._table.note_caught_up(at)
            self._noted_at = at
        if not self._fresh:
            with self._changed:
                self._fresh = True
                self._changed.notify_all()
        if time.monotonic() - self._forgot_at >= _FORGET_SECONDS:
            self._forgot_at = time.monotonic()
            self._table.forget(round(at * 1000) - 2 * TOMBSTONE_MS)
        if time.monotonic() - self._scrubbed_at >= SCRUB_SECONDS:
            self._scrubbed_at = time.monotonic()
            self._table.scrub()


def _decoded(row: Row | None) -> JourneyState | None:
    return None if row is None else JOURNEY_STATE.decode_trusted(row.value)
