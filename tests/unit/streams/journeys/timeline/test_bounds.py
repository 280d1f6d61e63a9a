"""The largest records that touchpoints within the contract's limits can lead to are far below what a broker takes.

A record beyond it would stop a worker for ever: it can neither be published nor left out. Rules of the user's own
that ask for long memories (counts of thousands) come on top.
"""

from functools import cache

from schemas.catalogue import Catalogue
from schemas.encoding.codec import MAX_BYTES, MAX_OWN_BYTES, decode
from schemas.encoding.record_types import FOLD_SUMMARY, FROZEN_SUMMARY, JOURNEY_SIGNAL, TRANSFER
from schemas.keys import profile_key
from schemas.records import Identifier, Touchpoint, Transfer
from schemas.topics import MAX_MESSAGE_BYTES
from schemas.touchpoint.rules import (
    MAX_AMOUNT_MINOR,
    MAX_ATTRIBUTES,
    MAX_CHANNEL_BYTES,
    MAX_ID_BYTES,
    MAX_IDENTIFIER_CHARACTERS,
    MAX_NAME_BYTES,
    check,
)
from streams.journeys.rules.rules import JourneyRules
from streams.journeys.signals.write_ahead import SignalWriteAhead
from streams.journeys.state.fold import Fold
from streams.journeys.state.issues import MAX_CHANNELS, MAX_ISSUES
from streams.journeys.state.orders import MAX_ORDERS
from streams.journeys.state.sessions import MAX_NAMED
from streams.journeys.state.signals import raised
from streams.journeys.state.values.bounded import MAX_NAMES
from streams.journeys.timeline.effects import TRANSFER_BYTES
from streams.journeys.timeline.horizon_summary import nothing
from tests.support.journeys import RULES, START
from tests.support.journeys_of import assigned
from tests.support.touchpoints import touchpoint

CATALOGUE = Catalogue.load()
MOST = JourneyRules.parse("[signals.channel_hopping]\nswitches = 100\nchannels = 10", "most.toml")
TENANT = "t" * 64


def wide(number: int, size: int) -> str:
    return f"{number:06d}".ljust(size, "x")


def owner(number: int) -> Identifier:
    # four bytes a character: the identifiers' limit counts characters
    return Identifier(type=wide(number, 64), value=f"{number:03d}".ljust(MAX_IDENTIFIER_CHARACTERS, "🙂"))


class Worst:
    """A source that fills everything a journey remembers with the longest texts there may be."""

    def __init__(self, owners: int) -> None:
        self.fold = Fold(CATALOGUE, MOST)
        self.number = 0
        self.minute = 0.0
        self.owners = [owner(number) for number in range(owners)]

    def send(self, type: str, **fields: object) -> None:  # noqa: A002
        self.number += 1
        self.minute += 0.1
        identifier = self.owners[min(self.number, len(self.owners)) - 1]
        item: Touchpoint = touchpoint(
            wide(self.number, MAX_ID_BYTES), minute=self.minute, type=type,
            ids=[(identifier["type"], identifier["value"])], tenant=TENANT,
            **{
                "channel": wide(self.number % MAX_NAMES, MAX_CHANNEL_BYTES),
                "source": wide(self.number, MAX_NAME_BYTES), "session_id": wide(self.number, MAX_ID_BYTES),
                "campaign": wide(self.number, MAX_ID_BYTES), "account_id": wide(self.number, MAX_ID_BYTES),
                **fields,
            },
        )  # fmt: skip
        check(item)
        self.fold.advance(item, identifier)

    def fill(self) -> Fold:
        for _ in range(30):
            self.send("ad_click")
            self.send("ad_click")
            self.minute += 24 * 60
        names = [wide(number, MAX_NAME_BYTES) for number in range(MAX_NAMES)]
        for half in (names[:MAX_ATTRIBUTES], names[MAX_ATTRIBUTES:]):
            self.send(
                "ad_click",
                experiments=dict.fromkeys(half, "v" * MAX_NAME_BYTES),
                consent=dict.fromkeys(half, "REVOKED"),
            )
        for issue in range(2 * MAX_ISSUES):
            about = {"issue_id": wide(issue, MAX_ID_BYTES)}
            self.send("complaint", **about)
            for _ in range(MAX_CHANNELS):
                self.send("support_call", **about)
            if issue < MAX_ISSUES:
                self.send("issue_solved", **about)
        for _ in range(MAX_NAMES):
            self.send("add_to_cart", sentiment=0.5, amount_minor=1, currency="EUR")
        for number in range(2 * MAX_ORDERS):
            self.send(
                "order_placed",
                order_id=wide(number, MAX_ID_BYTES),
                amount_minor=-MAX_AMOUNT_MINOR,
                currency="EUR",
            )
        self.send("nps_answered", score={"kind": "NPS", "value": 0.0})
        return self.fold


@cache
def worst(owners: int) -> Fold:
    return Worst(owners).fill()


def test_the_worst_state_that_can_be_published() -> None:
    state, encoded = worst(MAX_NAMES).sealed(TENANT, "p" * 36, 2**62)
    assert len(state["identifiers"]) == len(state["channels"]) == len(state["consent"]) == MAX_NAMES
    assert len(state["open_issues"]) == MAX_ISSUES
    assert {len(issue["channels"]) for issue in state["open_issues"]} == {MAX_CHANNELS}
    assert len(encoded) < MAX_OWN_BYTES
    print(f"JourneyState {len(encoded):,}")


def test_the_worst_summary_that_can_be_kept_and_transferred() -> None:
    summary = FOLD_SUMMARY.encode(worst(1).dump())
    frozen = nothing(("t" * 64, "🙂" * MAX_IDENTIFIER_CHARACTERS)).record() | {"folds": [summary]}
    assert len(worst(1).dump()["issues"]) == 2 * MAX_ISSUES
    assert len(worst(1).dump()["named_sessions"]) == MAX_NAMED
    assert len(worst(1).dump()["known_orders"]) == MAX_ORDERS
    transfer = Transfer(
        profile_id="p" * 36, from_profile_id="p" * 36, assignment=assigned("a", "p1", 1), touchpoints=[], frozen=frozen
    )  # fmt: skip
    sizes = len(FROZEN_SUMMARY.encode(frozen)), len(TRANSFER.encode(transfer))
    print(f"FoldSummary {len(summary):,}, FrozenSummary and Transfer {sizes}")
    # two summaries of one identifier stand one after the other when a contested cut is taken back
    assert 2 * max(sizes) <= MAX_OWN_BYTES
    assert decode(TRANSFER.encode(transfer))[0] == "Transfer"


def test_the_worst_signals_that_one_publication_can_raise() -> None:
    holding = worst(MAX_NAMES).signals(START + 10**12)
    ahead = SignalWriteAhead()
    for signal in holding:
        record = raised(TENANT, "p" * 36, signal, version=2**62)
        ahead.raising(profile_key(TENANT, "p" * 36), 1, 1, signal.event, JOURNEY_SIGNAL.encode(record))
    ((_, value, _),) = ahead.ahead()
    print(f"{len(holding)} signals, {len(value or b''):,}")
    assert len(value or b"") <= MAX_OWN_BYTES


def test_touchpoints_fit_with_their_owner_and_in_transfers() -> None:
    owned = 64 + 4 * MAX_IDENTIFIER_CHARACTERS + 36 + 64
    assert MAX_BYTES + owned <= MAX_OWN_BYTES
    assert TRANSFER_BYTES + MAX_BYTES + owned <= MAX_OWN_BYTES
    assert MAX_OWN_BYTES < MAX_MESSAGE_BYTES < 4 * 1024 * 1024
    assert RULES.horizon_most <= 1024
