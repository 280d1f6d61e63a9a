"""An account is the sum of its members' journeys, whatever happens to the messages about them.

The world is simulated as the agents run it: profiles gain, lose and move touchpoints, workers are killed between
their outputs and their changelog and read fetches again with other boundaries, messages are repeated and delayed.
"""

from collections import defaultdict
from copy import deepcopy
from random import Random
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.encoding.record_types import RESOLVED_TOUCHPOINT
from schemas.records import AccountContribution, AccountState, MemberSummary
from streams.accounts.contributions import Account, combine
from streams.accounts.partition import AccountPartition, changelog_record
from streams.journeys.memberships import Memberships, account_of, summary_of
from streams.journeys.timeline.effects import Effects
from streams.journeys.timeline.timeline import Timeline
from tests.support.journeys import CATALOGUE, HOUR, RULES, touchpoint

law = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
HALF_LIFE = RULES.friction_half_life_ms
TYPES = ["product_view", "order_placed", "issue_opened", "issue_solved", "payment_error", "support_call"]
Input = tuple[str, str, Any]  # profile, "add" or "move away", what


def summary(number: int, **fields: Any) -> MemberSummary:
    return {
        "as_of": number * HOUR, "stage": "intent", "touchpoints": 1 + number, "orders": number,
        "revenue": {"EUR": number}, "sentiment": None, "friction": float(number), "issues_solved": 0, "open_issues": [],
        "last_touch": {"event_id": f"e{number}", "occurred_at": number * HOUR, "channel": "web", "type": "cart"},
    } | fields  # type: ignore[return-value]  # fmt: skip


def contribution(profile: str, version: int, part: MemberSummary | None) -> AccountContribution:
    return {
        "tenant": "default",
        "account_id": "A",
        "profile_id": profile,
        "version": version,
        "summary": part,
    }


parts = st.lists(
    st.tuples(st.sampled_from("pqr"), st.none() | st.builds(summary, st.integers(0, 5))), max_size=12
)


@law
@given(parts, st.randoms())
def test_the_order_and_repetition_of_contributions_changes_nothing(
    history: list[Any], random: Random
) -> None:
    sent = [contribution(profile, version, part) for version, (profile, part) in enumerate(history)]
    newest = {item["profile_id"]: item["summary"] for item in sent}
    shuffled = sent + random.choices(sent, k=len(sent) // 2) if sent else []
    random.shuffle(shuffled)
    account = Account("default", "A")
    for item in shuffled:
        account.apply(item)

    members = {profile: part for profile, part in newest.items() if part}
    assert account.state(HALF_LIFE) == (combine("default", "A", 0, members, HALF_LIFE) if members else None)


@law
@given(parts)
def test_an_account_comes_back_from_its_changelog_as_it_was(history: list[Any]) -> None:
    account, restored = Account("default", "A"), AccountPartition(0)
    changelog: dict[bytes, bytes] = {}
    for version, (profile, part) in enumerate(history):
        item = contribution(profile, version, part)
        assert account.apply(item)
        key, value = changelog_record(item)
        changelog[key] = value
    for _ in range(2):
        for key, value in changelog.items():
            restored.restore(key, value)

    assert restored.account("default", "A").state(HALF_LIFE) == account.state(HALF_LIFE)


class World:
    """Journeys of a few profiles on one partition, and the accounts that hear of them."""

    def __init__(self, inputs: list[Input], random: Random, *, withdraw: bool = True) -> None:
        self.inputs = inputs
        self.random = random
        self.withdraw = withdraw
        self.timelines: dict[str, Timeline] = {}
        self.changelog: dict[str, dict[str, bytes]] = defaultdict(dict)
        self.pointers: dict[str, dict[Any, Any]] = defaultdict(dict)
        self.told = Memberships()
        self.bag: list[AccountContribution] = []
        self.accounts: dict[str, Account] = {}

    def run(self) -> dict[str, AccountState]:
        read = committed = 0
        crashes = 0
        while read < len(self.inputs):
            fetched = self.random.randint(1, len(self.inputs) - read)
            written = self.random.random() > 0.3 or crashes > 5
            self.fetch(read, read + fetched, written=written)
            read += fetched
            if not written or (self.random.random() < 0.2 and crashes <= 5):
                crashes += 1
                self.restart()
                read = committed
            elif self.random.random() < 0.7:
                committed = read
        self.random.shuffle(self.bag)
        for message in self.bag:
            name = message["account_id"]
            self.accounts.setdefault(name, Account("default", name)).apply(message)
        states = {name: account.state(HALF_LIFE) for name, account in self.accounts.items()}
        return {name: state for name, state in states.items() if state}

    def fetch(self, start: int, end: int, *, written: bool) -> None:
        touched: dict[str, Effects] = {}
        for offset in range(start, end):
            profile, kind, what = self.inputs[offset]
            timeline = self.timelines.setdefault(profile, Timeline("default", profile))
            effects = touched.get(profile)
            if effects is None:
                effects = touched[profile] = Effects()
                if not timeline.settled:
                    timeline.settled = True
                    if timeline.entries:
                        self.told.resume(
                            profile.encode(), timeline, timeline.fold(CATALOGUE, RULES).account_id
                        )
            timeline.version = offset
            if kind == "add":
                resolved = {"identifier": {"type": "cookie", "value": what["node"]}, "profile_id": profile,
                            "version": -1, "touchpoint": what["touchpoint"]}  # fmt: skip
                self.told.note_input(profile.encode(), timeline, resolved)
                timeline.accept(resolved, RESOLVED_TOUCHPOINT.encode(resolved), effects)  # type: ignore[arg-type]
            else:
                self.told.note_input(profile.encode(), timeline, {"assignment": what})
                timeline.move(away(what, offset), effects)  # type: ignore[arg-type]
        for profile, effects in touched.items():
            timeline = self.timelines[profile]
            state = timeline.state(CATALOGUE, RULES) if timeline.entries else None
            messages = list(
                self.told.contributions(profile.encode(), "default", profile, timeline.version, state)
            )
            if not self.withdraw:
                messages = [message for message in messages if message["summary"]]
            self.bag += messages + self.random.choices(messages, k=self.random.randint(0, 1) * len(messages))
            self.write(profile, effects, whole=written)

    def write(self, profile: str, effects: Effects, *, whole: bool) -> None:
        """A worker that is killed here has written some of its changelog."""
        for event_id, value in effects.entries.items():
            if not whole and self.random.random() < 0.5:
                continue
            if value is None:
                self.changelog[profile].pop(event_id, None)
            else:
                self.changelog[profile][event_id] = value
        for node, assignment in effects.pointers.items():
            if whole or self.random.random() < 0.5:
                self.pointers[profile][node] = assignment

    def restart(self) -> None:
        self.told = Memberships()
        self.timelines = {}
        for profile in {*self.changelog, *self.pointers}:
            timeline = self.timelines[profile] = Timeline("default", profile)
            for event_id, value in self.changelog[profile].items():
                timeline.restore_entry(event_id, value)
            for assignment in self.pointers[profile].values():
                timeline.restore_pointer(assignment)


def away(node: str, version: int) -> dict[str, Any]:
    return {
        "tenant": "default", "identifier": {"type": "cookie", "value": node}, "profile_id": "elsewhere",
        "contested_from": None, "contested_profile_id": None, "version": version, "event_id": "e", "occurred_at": 0,
        "correction": None,
    }  # fmt: skip


@st.composite
def worlds(draw: st.DrawFn) -> list[Input]:
    inputs: list[Input] = []
    for number in range(draw(st.integers(1, 14))):
        profile, node = draw(st.sampled_from("pqr")), draw(st.sampled_from("xy"))
        if draw(st.integers(0, 3)) == 0:
            inputs.append((profile, "move away", node))
            continue
        event = touchpoint(
            draw(st.sampled_from(TYPES)),
            draw(st.integers(0, 3000)),
            event_id=f"e{number}",
            account_id=draw(st.sampled_from(["A", "B", None])),
            issue_id=draw(st.sampled_from(["case-1", "case-2", None])),
            sentiment=draw(st.none() | st.floats(-1, 1)),
        )
        inputs.append((profile, "add", {"node": node, "touchpoint": event}))
    return inputs


def definition(inputs: list[Input]) -> dict[str, AccountState]:
    """Every input applied once and in order, then the members' journeys taken together."""
    world = World(inputs, Random(0))
    world.fetch(0, len(inputs), written=True)
    members: dict[str, dict[str, MemberSummary]] = defaultdict(dict)
    for profile, timeline in world.timelines.items():
        state = timeline.state(CATALOGUE, RULES) if timeline.entries else None
        if state is not None and (account_id := account_of(state)) is not None:
            members[account_id][profile] = summary_of(state)
    return {name: combine("default", name, 0, deepcopy(m), HALF_LIFE) for name, m in members.items()}


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(worlds(), st.integers(0, 2**32))
def test_crashes_repeated_fetches_and_delayed_messages_end_as_the_definition_says(
    inputs: list[Input], seed: int
) -> None:
    assert World(inputs, Random(seed)).run() == definition(inputs)


def test_without_withdrawals_members_stay_where_they_are_not_so_the_law_above_can_fail() -> None:
    inputs: list[Input] = [
        ("p", "add", {"node": "x", "touchpoint": touchpoint(minute=minute, account_id=account)})
        for minute, account in enumerate("ABABAB")
    ]

    outcomes = [World(inputs, Random(seed), withdraw=False).run() for seed in range(20)]

    assert any(outcome != definition(inputs) for outcome in outcomes)
