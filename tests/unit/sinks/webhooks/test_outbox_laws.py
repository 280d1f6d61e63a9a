"""Whatever the interleaving of signals, answers, lost answers and kills: each endpoint ends with what holds.

A signal log is read at least once; the outbox's changelog is its only memory; the receiver drops repeats by webhook_id.
"""

from collections import defaultdict

from hypothesis import given
from hypothesis import strategies as st

from sinks.webhooks.endpoints import DAY_MS, Retries
from sinks.webhooks.message import Attempt, Message, Notice
from sinks.webhooks.verdicts import Reason, Verdict, of_http
from tests.support.webhooks import Driven, endpoint, notice

PATIENT = endpoint(retries=Retries(1000, 1000, give_up_ms=1000 * DAY_MS))


class Receiver:
    """A receiver that acts on each webhook_id once. `effects`: what it did, in order, with the place in the log."""

    def __init__(self) -> None:
        self.seen: set[str] = set()
        self.effects: list[tuple[Notice, str]] = []
        self.calls: list[str] = []

    def take(self, attempt: Attempt, log: list[Notice]) -> None:
        self.calls.append(attempt.webhook_id)
        if attempt.webhook_id not in self.seen:
            self.seen.add(attempt.webhook_id)
            self.effects.append(
                (next(one for one in log if one.payload == attempt.payload), attempt.webhook_id)
            )


class World:
    """The log, the service that may be killed, and the receiver."""

    def __init__(self, *, careless: bool = False) -> None:
        """`careless`: the control arm, whose messages may be tried before they are in the changelog."""
        self.driven = Driven(PATIENT)
        self.receiver = Receiver()
        self.log: list[Notice] = []
        self.versions: defaultdict[tuple[str, str], int] = defaultdict(int)
        self.statuses: dict[tuple[str, str], str] = {}
        self.read = self.committed = 0
        self.confirmed: set[str] = set()  #: webhook_ids whose confirmation is in the changelog
        self.careless = careless

    def publish(self, person: str, subject: str, repeat: bool) -> None:
        key = person, subject
        self.versions[key] += 2
        before = self.statuses.get(key, "RETRACTED")
        status = (
            before if repeat and key in self.statuses else "RETRACTED" if before == "RAISED" else "RAISED"
        )
        self.statuses[key] = status
        self.log.append(notice(subject, status, self.versions[key], person=person))

    def take(self, count: int, write: bool) -> None:
        self.driven.take(*self.log[self.read : self.read + count])
        self.read = min(self.read + count, len(self.log))
        if self.careless:
            self.driven.outbox.written()
        if write:
            self.driven.write()
            self.committed = self.read

    def attempt(self, arrives: bool, answer: str) -> bool:
        self.driven.now += 3000
        if self.careless:
            self.driven.outbox.drain()
            self.driven.outbox.written()
        begun = self.driven.begin()
        if begun is None:
            return False
        assert begun[1].webhook_id not in self.confirmed, "told again although that it arrived was written"
        if arrives or answer == "confirmed":
            self.receiver.take(begun[1], self.log)
        if answer == "killed":
            self.kill()
        else:
            self.end(begun, answer)
        return True

    def end(self, begun: tuple[Message, Attempt], answer: str) -> None:
        verdicts = {"confirmed": Verdict(None, 200), "lost": Verdict(Reason.TIMEOUT), "failed": of_http(503)}
        self.driven.finish(begun, verdicts[answer])
        if answer == "confirmed":
            self.confirmed.add(begun[1].webhook_id)

    def kill(self) -> None:
        self.driven.kill()
        self.read = self.committed

    def settle(self) -> None:
        """The receiver works, and everything is read and told."""
        self.take(len(self.log), write=True)
        for _ in range(10 * len(self.log) + 10):
            if not self.attempt(arrives=True, answer="confirmed"):
                break
        assert self.driven.outbox.pending() == {}

    def check(self) -> None:
        told: dict[tuple[str, str], str] = {}
        last: dict[str, int] = {}
        for effect, _ in self.receiver.effects:
            told[effect.profile_id, effect.subject] = effect.wanted
            place = self.log.index(effect)
            assert place > last.get(effect.profile_id, -1), "out of order"
            last[effect.profile_id] = place
        for key, status in self.statuses.items():
            assert told.get(key, "RETRACTED") == status, (key, told.get(key), status)


people, subjects = st.sampled_from(["p1", "p2"]), st.sampled_from(["s1", "s2"])
steps = st.one_of(
    st.tuples(st.just("publish"), people, subjects, st.booleans()),
    st.tuples(st.just("take"), st.integers(1, 3), st.booleans()),
    st.tuples(st.just("attempt"), st.booleans(), st.sampled_from(["confirmed", "lost", "failed", "killed"])),
    st.tuples(st.just("kill")),
)


def run(world: World, script: list[tuple]) -> None:
    for name, *arguments in script:
        getattr(world, name)(*arguments)
    world.settle()
    world.check()


@given(st.lists(steps, max_size=40))
def test_the_endpoint_ends_with_what_holds_in_order_and_acts_on_nothing_twice(script: list[tuple]) -> None:
    run(World(), script)


def test_the_law_is_broken_by_attempts_before_their_message_is_written() -> None:
    """The control arm: a raise is tried, the service dies, and the retraction finds no trace of it."""
    script: list[tuple] = [
        ("publish", "p1", "s1", False), ("take", 1, False), ("attempt", True, "killed"),
        ("publish", "p1", "s1", False),
    ]  # fmt: skip
    run(World(), script)
    try:
        run(World(careless=True), script)
    except AssertionError:
        return
    raise AssertionError("the control arm holds the law: the test cannot fail")


@given(st.lists(steps, max_size=40))
def test_a_working_receiver_without_kills_gets_each_status_once(script: list[tuple]) -> None:
    world = World()
    calm = [("attempt", True, "confirmed") if step[0] in ("attempt", "kill") else step for step in script]
    run(world, calm)

    assert len(world.receiver.calls) == len(set(world.receiver.calls)) == len(world.receiver.effects)
    of_subject: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for effect, _ in world.receiver.effects:
        of_subject[effect.profile_id, effect.subject].append(effect.wanted)
    for told in of_subject.values():
        assert told == ["RAISED", "RETRACTED"] * (len(told) // 2) + ["RAISED"] * (len(told) % 2)
