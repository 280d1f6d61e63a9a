"""What must be true after a fault: nothing lost, nothing twice, every profile and state as the definition says."""

from dataclasses import dataclass

from schemas.catalogue import Catalogue
from streams.identity.policy.load import load
from streams.journeys.rules.rules import JourneyRules
from streams.replay import Replay
from tests.faults.arena import Trial


@dataclass(frozen=True)
class Verdict:
    """Differences from a run without faults; all but `raw_duplicates` must be 0."""

    published: int  #: distinct touchpoints
    lost: int  #: touchpoints and dead letters that are not there
    duplicates: int  #: rows too many in what users see
    raw_duplicates: int  #: rows stored more than once, which FINAL does not show
    strangers: int  #: touchpoints that nobody published
    wrong_owners: int
    wrong_states: int  #: profiles missing, too many, or with another state_hash
    overcommitted: int  #: partitions whose committed offset lies beyond their end

    @property
    def right(self) -> bool:
        """Whether the fault has left no trace."""
        return not (
            self.lost or self.duplicates or self.strangers or self.wrong_owners or self.wrong_states
            or self.overcommitted
        )  # fmt: skip


def judge(trial: Trial) -> Verdict:
    """Compare what ClickHouse shows with a replay of everything that was published."""
    settings, query = trial.live.settings, trial.live.query
    replay = Replay(
        load("", settings.pseudonym_secret(), settings.pseudonym_key_id),
        Catalogue.load(""),
        JourneyRules.load(""),
    )
    for event in trial.events:
        replay.add(event)
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
    return Verdict(
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
