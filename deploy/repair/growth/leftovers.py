"""What only the old generation published, taken back in the new one.

The old generation may have shown a profile for a moment that the new one never had: a person whose merge it learnt
later. Nobody in the new one would retract its state, its account or its signals.
So they are retracted with a version between the two generations: above all of the old one, below all of the new one.
"""

from collections.abc import Iterator

from deploy.repair.dead_letters.reading import records
from deploy.repair.growth.history import newest
from schemas.encoding.record_types import JOURNEY_SIGNAL
from schemas.headers import VERSION, tombstone_version
from schemas.records import JourneySignal
from schemas.settings import Settings
from schemas.topics import ACCOUNT_STATES, JOURNEY_SIGNALS, JOURNEY_STATES, Topic

#: Topic, key, value and headers of a record to send to the new generation.
Correction = tuple[Topic, bytes, bytes | None, list[tuple[str, bytes]]]


def leftovers(old: Settings, new: Settings) -> Iterator[Correction]:
    """A retraction for each state and each signal that holds in the old generation and was never in the new one."""
    below = str(new.version(0) - 1).encode()
    for topic in (JOURNEY_STATES, ACCOUNT_STATES):
        known = {record.key for record in records(new, new.topic(topic.name))}
        for key in newest(old, topic):
            if key not in known:
                yield topic, key, None, [(VERSION, below)]
    known_signals = _signals(new)
    for signal_id, (key, signal) in _signals(old).items():
        if signal["status"] == "RAISED" and signal_id not in known_signals:
            taken_back = signal | {
                "status": "RETRACTED", "reason": "CONTRADICTED", "version": 2 * new.version(0) - 1
            }  # fmt: skip
            yield JOURNEY_SIGNALS, key, JOURNEY_SIGNAL.encode(taken_back), []


def hidden(new: Settings) -> Iterator[Correction]:
    """States whose key ends with a retraction of ours: compaction would let go of the state, so it is sent again.

    That is so if the workers published it while the leftovers were looked for.
    """
    below = new.version(0) - 1
    for topic in (JOURNEY_STATES, ACCOUNT_STATES):
        states: dict[bytes, bytes] = {}
        covered: set[bytes] = set()
        for record in records(new, new.topic(topic.name)):
            covered.discard(record.key)
            if record.value is not None:
                states[record.key] = record.value
            elif tombstone_version(record) == below:
                covered.add(record.key)
            else:
                states.pop(record.key, None)
        for key in covered & states.keys():
            yield topic, key, states[key], []


def _signals(settings: Settings) -> dict[str, tuple[bytes, JourneySignal]]:
    """Each signal as it stands in a generation, with its key."""
    found: dict[str, tuple[bytes, JourneySignal]] = {}
    for record in records(settings, settings.topic(JOURNEY_SIGNALS.name)):
        signal = JOURNEY_SIGNAL.decode(record.value)
        known = found.get(signal["signal_id"])
        if known is None or known[1]["version"] <= signal["version"]:
            found[signal["signal_id"]] = record.key, signal
    return found
