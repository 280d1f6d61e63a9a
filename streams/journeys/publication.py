"""Publication of one profile: what a changed profile, or a deadline of one, makes go out to the topics."""

from collections.abc import Callable

from schemas import headers, topics
from schemas.catalogue import Catalogue
from schemas.encoding.record_types import ACCOUNT_CONTRIBUTION, IDENTITY_LINK, TRANSFER
from schemas.keys import account_key, profile_key, tenant_key
from streams.identity.resolution.links import links_of
from streams.journeys.journey import Journey
from streams.journeys.partition import JourneyPartition
from streams.journeys.rules.meaning import meanings_of
from streams.journeys.rules.rules import JourneyRules
from streams.journeys.timeline.effects import Effects
from streams.runtime.transaction import FetchTransaction


class ProfilePublisher:
    """Publishes profiles that Python handles, each in the transaction of its fetch or of its deadline."""

    def __init__(
        self,
        catalogue: Catalogue,
        rules: JourneyRules,
        topic: Callable[[str], str],
        clock: Callable[[], float],
    ) -> None:
        """`topic` gives a topic's name in Kafka, `clock` the time in seconds."""
        self._catalogue = catalogue
        self._rules = rules
        self._clock = clock
        self.meanings = meanings_of(catalogue, rules).fingerprint
        self._inputs = topic(topics.JOURNEY_INPUTS.name)
        self._links = topic(topics.IDENTITY_LINKS.name)
        self.states = topic(topics.JOURNEY_STATES.name)
        self.signals = topic(topics.JOURNEY_SIGNALS.name)
        self._account_inputs = topic(topics.ACCOUNT_INPUTS.name)

    def recall(self, journey: Journey, now: int) -> None:
        """Work out which signals subscribers know of, if the journey does not say."""
        if journey.told.signals is None:
            journey.told.recall(journey.timeline.fold(self._catalogue, self._rules), now, self.meanings)

    def publish(
        self, key: bytes, journey: Journey, effects: Effects, fetch: FetchTransaction[JourneyPartition]
    ) -> None:
        """Publish a profile that a fetch has changed, or repeated; mutates `journey` and the state of `fetch`."""
        partition, timeline = fetch.state, journey.timeline
        for touchpoint in effects.evidence:
            for link in links_of(touchpoint, touchpoint["identifiers"]):
                fetch.publish(self._links, tenant_key(timeline.tenant), IDENTITY_LINK.encode(link))
        for owner, value in effects.forwards:
            fetch.publish(self._inputs, profile_key(timeline.tenant, owner), value)
        for transfer in effects.transfers:
            fetch.publish(
                self._inputs,
                profile_key(timeline.tenant, transfer["profile_id"]),
                TRANSFER.encode(transfer),
            )
        timeline.summarise(self._catalogue, self._rules, effects)
        state, encoded = None, b""
        if not timeline.empty:
            state, encoded = timeline.sealed(self._catalogue, self._rules)
        for part in partition.accounts.contributions(
            key, timeline.tenant, timeline.profile_id, timeline.version, state
        ):
            account = account_key(part["tenant"], part["account_id"])
            fetch.publish(self._account_inputs, account, ACCOUNT_CONTRIBUTION.encode(part))
        if state is not None:
            if partition.predictions is not None:
                encoded = partition.predictions.attach(encoded, journey)
            fetch.publish(self.states, key, encoded)
            now = partition.now(self._clock(), idle=False)
            self.publish_signals(key, journey, effects, fetch, now)
        elif effects.emptied or partition.write_ahead.ripe(key, 2 * timeline.version):
            self.publish_signals(key, journey, effects, fetch, 0)
            fetch.publish(self.states, key, None, [(headers.VERSION, str(timeline.version).encode())])

    def publish_signals(
        self, key: bytes, journey: Journey, effects: Effects, fetch: FetchTransaction[JourneyPartition], now: int,
        *, by_deadline: bool = False,
    ) -> None:  # fmt: skip
        """Tell subscribers what came to hold and what holds no more; note when the next deadline falls due."""
        partition, told = fetch.state, journey.told
        fold = journey.timeline.fold(self._catalogue, self._rules)
        for encoded in told.publish(
            key, journey.timeline, fold, effects, partition.write_ahead, now, self.meanings,
            partition.applied, by_deadline=by_deadline,
        ):  # fmt: skip
            fetch.announced.add(self.signals, key, encoded)
        partition.schedule(key, told.due)
