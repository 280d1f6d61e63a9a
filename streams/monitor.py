"""What a worker says about itself when it is asked: gauges that are read from its state, and whether it is ready."""

from collections import Counter
from collections.abc import Callable, Iterator
from time import monotonic
from typing import Any, Final

from prometheus_client import REGISTRY
from prometheus_client.core import CounterMetricFamily
from prometheus_client.registry import Collector

from schemas import topics
from schemas.health import Health, Heartbeat
from schemas.measures import gauge, show
from schemas.metrics import worker as metrics
from streams.accounts.agent import Accounts
from streams.identity.agent import Identity
from streams.journeys.agent import Journeys
from streams.journeys.cache import COMPRESSOR
from streams.runtime.app import WorkerApp
from streams.runtime.metrics import REBALANCES
from streams.runtime.standby import Standbys
from streams.runtime.state import ChangelogState
from streams.stitch.agent import Stitch

LAG: Final = gauge(metrics.LAG)
COMMIT_AGE: Final = gauge(metrics.COMMIT_AGE)
QUEUED: Final = gauge(metrics.QUEUED)
UNACKNOWLEDGED: Final = gauge(metrics.UNACKNOWLEDGED)
UNACKNOWLEDGED_AGE: Final = gauge(metrics.UNACKNOWLEDGED_AGE)
BACKGROUND: Final = gauge(metrics.BACKGROUND)
WATERMARK: Final = gauge(metrics.WATERMARK)
UNDECIDED: Final = gauge(metrics.UNDECIDED)
LANES: Final = gauge(metrics.LANES)
REFUSED_LINKS: Final = gauge(metrics.REFUSED_LINKS)
STATE_ITEMS: Final = gauge(metrics.STATE_ITEMS)
COMPRESSED_BYTES: Final = gauge(metrics.COMPRESSED_BYTES)
PERHAPS_RAISED: Final = gauge(metrics.PERHAPS_RAISED)
ASSIGNED: Final = gauge(metrics.ASSIGNED)
RECOVERY_LEFT: Final = gauge(metrics.RECOVERY_LEFT)
RECOVERY_SECONDS: Final = gauge(metrics.RECOVERY_SECONDS)
STANDBY_PARTITIONS: Final = gauge(metrics.STANDBY_PARTITIONS)
STANDBY_LAG: Final = gauge(metrics.STANDBY_LAG)


class _Decompressed(Collector):
    """How many journeys were decompressed: the compressor, which is pure, counts them."""

    def collect(self) -> Iterator[CounterMetricFamily]:
        name, meaning = metrics.UNPACKED.name, metrics.UNPACKED.meaning
        yield CounterMetricFamily(name, meaning, value=COMPRESSOR.decompressed)


REGISTRY.register(_Decompressed())


class WorkerMonitor:
    """Reads one worker: its application and its agents. Call it in the worker's event loop only."""

    def __init__(
        self, app: WorkerApp, core: str, standbys: Standbys,
        stitch: Stitch, identity: Identity, journeys: Journeys, accounts: Accounts,
        clock: Callable[[], float] = monotonic,
    ) -> None:  # fmt: skip
        self._app = app
        self._core = core
        self._standbys = standbys
        self._identity = identity
        self._journeys = journeys
        self._states: dict[str, ChangelogState[Any]] = {
            "stitch": stitch.state,
            "identity": identity.state,
            "journeys": journeys.state,
            "accounts": accounts.state,
        }
        self._clock = clock
        self._began_recovery: tuple[float, int] | None = None  #: when, and what was left then
        self._settled = False  #: whether a rebalance has ended with the states restored
        app.on_partitions_revoked.connect(self._rebalance_begins)
        app.on_rebalance_complete.connect(self._rebalance_ended)

    async def _rebalance_begins(self, *_: Any, **__: Any) -> None:
        self._settled = False
        REBALANCES.inc()

    async def _rebalance_ended(self, *_: Any, **__: Any) -> None:
        self._settled = True

    def health(self, heartbeat: Heartbeat) -> Health:
        """The health of this worker."""
        return Health("worker", heartbeat, self.waits_for, self.refresh, self._core)

    def waits_for(self) -> str:
        """What the worker waits for, in a sentence; "" if it reads, or stands by without a partition."""
        if self._settled and not (self._app.rebalancing or self._app.in_recovery):
            return ""
        left = sum(state.left_to_restore() for state in self._states.values())
        if left:
            return f"the worker restores its state: {left:,} changelog offsets are left"
        return "the worker waits for its partitions: the consumer group rebalances"

    def refresh(self) -> None:
        """Bring all gauges up to date."""
        self._refresh_consumer()
        self._refresh_agents()
        self._refresh_recovery()

    def _refresh_consumer(self) -> None:
        app = self._app
        progress = app.consumer.progress() if app.started else []
        show(LAG, (((tp.topic, str(tp.partition)), lag) for tp, lag, _ in progress))
        show(COMMIT_AGE, (((tp.topic, str(tp.partition)), age) for tp, _, age in progress))
        queued = app.partition_queues.records()
        show(QUEUED, (((tp.topic, str(tp.partition)), count) for tp, count in queued.items()))
        touchpoints = app.settings.topic(topics.TOUCHPOINTS.name)
        ASSIGNED.set(sum(tp.topic == touchpoints for tp, _, _ in progress))
        records, age = app.publisher.unacknowledged()
        UNACKNOWLEDGED.set(records)
        UNACKNOWLEDGED_AGE.set(age)
        BACKGROUND.set(app.background_tasks)

    def _refresh_agents(self) -> None:
        backlogs = self._identity.backlogs
        held = {str(number) for number in self._identity.state.held_partitions()}
        waiting = [(str(number), one) for number, one in backlogs.items() if str(number) in held]
        show(UNDECIDED, (((number,), len(one)) for number, one in waiting))
        show(LANES, (((number,), one.regions) for number, one in waiting))
        refused: Counter[str] = Counter()
        for state in self._identity.state.all():
            refused.update(state.refusals())
        show(REFUSED_LINKS, (((reason,), count) for reason, count in refused.items()))
        sizes = {name: state.sizes() for name, state in self._states.items()}
        show(STATE_ITEMS, (((name, kind), n) for name, found in sizes.items() for kind, n in found.items()))
        journeys = list(self._journeys.state.all())
        COMPRESSED_BYTES.set(sum(one.journeys.compressed_bytes for one in journeys))
        PERHAPS_RAISED.set(sum(one.write_ahead.unsettled for one in journeys))
        show(WATERMARK, (((str(one.number),), one.watermark / 1000) for one in journeys if one.watermark))

    def _refresh_recovery(self) -> None:
        left = {name: state.left_to_restore() for name, state in self._states.items()}
        show(RECOVERY_LEFT, (((name,), count) for name, count in left.items()))
        RECOVERY_SECONDS.set(self._estimate(sum(left.values())))
        STANDBY_PARTITIONS.set(self._standbys.partitions())
        show(STANDBY_LAG, (((name,), count) for name, count in self._standbys.behind().items()))

    def _estimate(self, left: int) -> float:
        """Seconds until so many changelog offsets are read, at the rate since the first look; NaN before the second."""
        if not left:
            self._began_recovery = None
            return 0.0
        now = self._clock()
        if self._began_recovery is None or self._began_recovery[1] < left:
            self._began_recovery = now, left
        began, first = self._began_recovery
        return left * (now - began) / (first - left) if first > left else float("nan")
