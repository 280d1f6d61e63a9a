"""What must be true after a fault: nothing lost, nothing twice, every profile and state as the definition says."""

import time
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, replace

from schemas import topics
from schemas.catalogue import Catalogue
from schemas.encoding.codec import decode
from streams.identity.policy.load import load
from streams.journeys.rules.rules import JourneyRules
from streams.replay import Replay
from tests.faults.aims import repeated
from tests.faults.kafka import values
from tests.faults.trial import Trial
from tests.support.subscriber import Subscriber

#: How long deadlines by the clock may take, and a retraction that waits for them.
SIGNALS_SECONDS = 30.0


@dataclass(frozen=True)
class Verdict:
    """Differences from a run without faults; those that `right` lists must be 0 after every fault.

    The last four are counted for the faults that name them (`Fault.never`), and must be 0 after those.
    """

    published: int  #: distinct touchpoints
    lost: int  #: touchpoints and dead letters that are not there
    duplicates: int  #: rows too many in what users see
    raw_duplicates: (
        int  #: rows that FINAL does not show: of copies that sources sent, and of repeated fetches
    )
    strangers: int  #: touchpoints that nobody published
    wrong_owners: int
    wrong_states: int  #: profiles missing, too many, or with another state_hash
    overcommitted: int  #: partitions whose committed offset lies beyond their end
    wrong_signals: int = 0  #: signals that subscribers hold and should not, or should and do not
    stored_twice: int = 0  #: rows of one Kafka record beyond the first
    appended_twice: int = 0  #: touchpoints of one owner on journey-inputs beyond those that were published
    repeated: int = (
        0  #: records done before a partition was given up in order, and done again by its next owner
    )

    def right(self, never: Collection[str] = ()) -> bool:
        """Whether the fault has left no trace; `never`: fields that must be 0, too."""
        found = (
            self.lost, self.duplicates, self.strangers, self.wrong_owners, self.wrong_states, self.overcommitted,
            *(getattr(self, name) for name in never),
        )  # fmt: skip
        return not any(found)


def judge(trial: Trial, never: Collection[str] = ()) -> Verdict:
    """Compare what ClickHouse shows with a replay of everything that was published; count what `never` names."""
    settings, query = trial.live.settings, trial.live.query
    replay = Replay(
        load("", settings.pseudonym_secret(), settings.pseudonym_key_id),
        Catalogue.load(""),
        JourneyRules.load(""),
    )
    for event in trial.events:
        replay.add(event)
    for correction in trial.corrections:
        replay.correct(correction)
    owners = {
        (o.touchpoint["tenant"], o.touchpoint["source"], o.touchpoint["event_id"]): o.profile_id
        for o in replay.owned()
    }
    states = {(s["tenant"], s["profile_id"]): s["state_hash"] for s in replay.states()}

    live_owners = {
        (t, s, e): p
        for t, s, e, p in query("SELECT tenant, source, event_id, profile_id FROM touchpoints_current")
    }
    live_states = {(t, p): h for t, p, h in query("SELECT tenant, profile_id, state_hash FROM journeys")}
    ((final, distinct),) = query(
        "SELECT count(), uniqExact(tenant, source, event_id) FROM raw_touchpoints FINAL"
    )
    ((shown,),) = query("SELECT count() FROM touchpoints_current")
    ((letters,),) = query("SELECT count() FROM dead_letters FINAL WHERE component = 'stitch'")
    backlogs = trial.live.backlogs() or {}
    found = Verdict(
        published=len(owners),
        lost=len(owners.keys() - live_owners.keys()) + max(trial.poison - letters, 0),
        duplicates=final - distinct + shown - len(live_owners) + max(letters - trial.poison, 0),
        raw_duplicates=trial.rows() - final,
        strangers=len(live_owners.keys() - owners.keys()),
        wrong_owners=sum(owners[event] != owner for event, owner in live_owners.items() if event in owners),
        wrong_states=sum(
            states.get(profile) != live_states.get(profile) for profile in states.keys() | live_states.keys()
        ),
        overcommitted=sum(b.done > b.end for group in backlogs.values() for b in group),
    )
    if trial.control and not found.right():
        return found  # it shows what it is to show, and some counts take long
    return replace(found, **{name: COUNTS[name](trial, replay) for name in never})


def _wrong_signals(trial: Trial, replay: Replay) -> int:
    """Signals that hold by now in a replay and not for who follows the topic, or the other way round."""
    expected = {
        (one["profile_id"], one["kind"], one["subject_id"])
        for one in replay.signals(round(time.time() * 1000))
    }
    until = time.monotonic() + SIGNALS_SECONDS
    while True:
        read = Subscriber().read(values(trial.live.settings, topics.JOURNEY_SIGNALS.name))
        held = {(one["profile_id"], one["kind"], one["subject_id"]) for one in read.holding()}
        if held == expected or time.monotonic() > until:
            return len(held ^ expected)
        trial.sleep(1)


def _stored_twice(trial: Trial, _: Replay) -> int:
    # a reconciliation adds rows of the same record, with higher versions
    ((rows,),) = trial.live.query("""
        SELECT sum(loaded - 1) FROM (
            SELECT argMin(rows, version) AS loaded FROM (
                SELECT source_topic, source_partition, source_offset, version, count() AS rows
                FROM raw_touchpoints GROUP BY ALL
            ) GROUP BY source_topic, source_partition, source_offset
        )
    """)
    return int(rows)


def _appended_twice(trial: Trial, _: Replay) -> int:
    published = Counter((event["source"], event["event_id"]) for event in trial.events)
    found: Counter[tuple[str, str, str, int]] = Counter()
    for value in values(trial.live.settings, topics.JOURNEY_INPUTS.name):
        name, message = decode(value)
        if name == "ResolvedTouchpoint":
            event = message["touchpoint"]
            found[event["source"], event["event_id"], message["profile_id"], message["version"]] += 1
    return sum(max(0, count - published[source, event]) for (source, event, _, _), count in found.items())


def _repeated(trial: Trial, _: Replay) -> int:
    return repeated(trial.aims.notes("given-up"), trial.aims.notes("begins"))


#: What a fault counts beside what every fault counts.
COUNTS = {
    "wrong_signals": _wrong_signals,
    "stored_twice": _stored_twice,
    "appended_twice": _appended_twice,
    "repeated": _repeated,
}
