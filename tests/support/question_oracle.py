"""What the questions of ClickHouse mean, as plain Python over touchpoints with their owners: easy to check by eye."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby, pairwise
from typing import Any, NamedTuple

from streams.journeys.state.sessions import Sessions
from streams.replay import Owned
from tests.support.built_in import CATALOGUE, RULES

HOUR, DAY, WEEK = 3_600_000, 86_400_000, 604_800_000
MONDAY = -3 * DAY  #: 1969-12-29

Rows = list[tuple[Any, ...]]


class Touch(NamedTuple):
    """A touchpoint of a person, in the order in which the views sort those of one time."""

    ms: int
    channel: str
    type: str
    campaign: str
    source: str
    session_id: str
    issue_id: str
    order_id: str
    account_id: str
    amount: int | None
    currency: str
    experiments: dict[str, str]

    @property
    def inbound(self) -> bool:
        return direction(self.type) == "inbound"


class Visit(NamedTuple):
    """A session: when it was last active, and its touchpoints."""

    last_at: int
    touches: list[Touch]


People = dict[str, list[Touch]]


def direction(name: str) -> str:
    kind = CATALOGUE.types.get(name)
    return kind.direction if kind else "inbound"


def effect(name: str) -> str | None:
    kind = CATALOGUE.types.get(name)
    return kind.effect if kind else None


def people_of(owned: Iterable[Owned]) -> People:
    """Each person's touchpoints by time."""
    people: People = defaultdict(list)
    for item in owned:
        one = item.touchpoint
        people[item.profile_id].append(
            Touch(
                one["occurred_at"], one["channel"], one["type"], one["campaign"] or "", one["source"],
                one["session_id"] or "", one["issue_id"] or "", one["order_id"] or "", one["account_id"] or "",
                one["amount_minor"], one["currency"] or "", one["experiments"],
            )
        )  # fmt: skip
    for touches in people.values():
        touches.sort(key=lambda touch: touch[:-3])
    return people


def visits(touches: Sequence[Touch]) -> list[Visit]:
    """The sessions of a person, by the definition of the journey state."""
    sessions, found = Sessions(RULES), {}
    for touch in touches:
        if touch.inbound:
            session = sessions.touch(touch.ms, touch.source, touch.session_id or None)
            found.setdefault(id(session), (session, []))[1].append(touch)
    return [Visit(touched[-1].ms, touched) for _, touched in found.values()]


def within(touches: Iterable[Touch], since: int, until: int) -> list[Touch]:
    return [touch for touch in touches if since <= touch.ms < until]


def quantile(values: Sequence[float], share: float) -> float | None:
    """Linear between the two nearest, as numpy does by default."""
    if not values:
        return None
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


# -- funnel ---------------------------------------------------------------------------------------------------------


def attempt(events: list[tuple[int, int]], numbers: list[int], within_ms: int, order: str) -> list[int]:
    """The times of the attempt that counts; `events` are (ms, number of the step or 0), sorted."""
    if order == "any":
        return _any_order(events, numbers, within_ms)
    best: tuple[int, int, int] | None = None
    times: list[int] = []
    for start, (began, number) in enumerate(events):
        if number != numbers[0]:
            continue
        taken, end = [began], start
        for place in range(start + 1, len(events)):
            ms, number = events[place]
            fits = len(taken) < len(numbers) and number == numbers[len(taken)] and ms - began <= within_ms
            if fits and (order != "strict" or ms > taken[-1]):
                taken.append(ms)
                end = place
            elif order == "adjacent":
                break
        done = events[end][0] if order == "strict" else end
        rank = (-len(taken), done, -began)
        if best is None or rank < best:
            best, times = rank, taken
    return times


def _any_order(events: list[tuple[int, int]], numbers: list[int], within_ms: int) -> list[int]:
    best: list[int] = []
    for place, (now, _) in enumerate(events):
        latest = {number: ms for ms, number in events[: place + 1] if number in numbers}
        live = sorted(ms for ms in latest.values() if now - ms <= within_ms)
        best = live if len(live) > len(best) else best
    return best


def segment_of(touches: list[Touch], steps: list[str], times: list[int], by: str) -> str:
    values: Callable[[Touch], str] = {
        "channel": lambda touch: touch.channel if touch.type in steps else "",
        "source": lambda touch: touch.source if touch.type in steps else "",
        "campaign": lambda touch: touch.campaign,
        "account": lambda touch: touch.account_id,
        "first_type": lambda touch: touch.type,
        "first_channel": lambda touch: touch.channel,
    }.get(by, lambda touch: touch.experiments.get(by.removeprefix("experiment:"), ""))
    named = [(touch.ms, values(touch)) for touch in touches if values(touch)] if by else []
    if by.startswith("first"):
        return min(named)[1]
    return max(((ms, value) for ms, value in named if ms <= times[0]), default=(0, ""))[1]


def funnel(
    people: People, since: int, until: int, steps: list[str], within_ms: int, order: str, per: str, by: str
) -> Rows:
    """Rows: segment, step, reached, stopped, median, 90th percentile, median from the first step."""
    numbers = [steps.index(step) + 1 for step in steps]
    attempts: dict[str, list[list[int]]] = defaultdict(list)
    for touches in people.values():
        units = [within(touches, since, until)]
        if per == "session":
            units = [visit.touches for visit in visits(touches) if since <= visit.touches[0].ms < until]
        for unit in units:
            kept = [touch for touch in unit if touch.type in steps or (order == "adjacent" and touch.inbound)]
            events = sorted(
                (touch.ms, steps.index(touch.type) + 1 if touch.type in steps else 0) for touch in kept
            )
            times = attempt(events, numbers, within_ms, order)
            if times:
                attempts[segment_of(unit, steps, times, by)].append(times)
    rows: Rows = []
    for segment, found in attempts.items():
        for step in range(len(steps)):
            far = [times for times in found if len(times) > step]
            gaps = [(times[step] - times[step - 1]) / 1000 for times in far] if step else []
            total = [(times[step] - times[0]) / 1000 for times in far] if step else []
            stopped = sum(len(times) == step + 1 for times in found)
            rows.append(
                (
                    segment,
                    step + 1,
                    len(far),
                    stopped,
                    quantile(gaps, 0.5),
                    quantile(gaps, 0.9),
                    quantile(total, 0.5),
                )
            )
    return rows


# -- paths and channels ---------------------------------------------------------------------------------------------


def paths(
    people: People, since: int, until: int, anchor: str, direction: str, hops: int, per: str, top: int
) -> Rows:
    """Rows: depth, from, to, reached, share."""
    ways: list[list[str]] = []
    for touches in people.values():
        if per == "session":
            found = [visit.touches for visit in visits(touches) if since <= visit.touches[0].ms < until]
        else:
            found = [[touch for touch in within(touches, since, until) if touch.inbound]]
        ways += [
            [name for name, _ in groupby(touch.type for touch in sorted(unit, key=lambda t: t[:3]))]
            for unit in found
        ]
    border = "(start)" if direction == "before" else "(end)"
    walked = []
    for way in ways:
        way = way[::-1] if direction == "before" else way
        if not way or (anchor and anchor not in way):
            continue
        along = way[way.index(anchor) if anchor else 0 :]
        walked.append((along + [border] * (len(along) <= hops))[: hops + 1])
    counted = [Counter(way[depth] for way in walked if len(way) > depth) for depth in range(hops + 1)]
    kept = [
        {border, *sorted((n for n in count if n != border), key=lambda name: (-count[name], name))[:top]}
        for count in counted
    ]
    pairs: Counter[tuple[int, str, str]] = Counter()
    for way in walked:
        named = [name if name in kept[depth] else "(other)" for depth, name in enumerate(way)]
        for depth, (one, other) in enumerate(pairwise(named)):
            pairs[(-1 - depth, other, one) if direction == "before" else (depth, one, other)] += 1
    return [(*pair, count, count / len(walked)) for pair, count in pairs.items()]


def channel_mix(people: People, since: int, until: int, period: str) -> Rows:
    """Rows: beginning in ms, channel, touchpoints, inbound, people, share."""
    size, shift = {"hour": (HOUR, 0), "day": (DAY, 0), "week": (WEEK, MONDAY)}[period]
    found: dict[tuple[int, str], list[tuple[str, Touch]]] = defaultdict(list)
    whole: Counter[int] = Counter()
    for person, touches in people.items():
        for touch in within(touches, since, until):
            begin = (touch.ms - shift) // size * size + shift
            found[begin, touch.channel].append((person, touch))
            whole[begin] += 1
    return [
        (
            begin,
            channel,
            len(all_),
            sum(t.inbound for _, t in all_),
            len({p for p, _ in all_}),
            len(all_) / whole[begin],
        )
        for (begin, channel), all_ in found.items()
    ]


def channel_matrix(people: People, since: int, until: int) -> Rows:
    """Rows: from, to, switches, people, share."""
    switches: Counter[tuple[str, str]] = Counter()
    who: dict[tuple[str, str], set[str]] = defaultdict(set)
    for person, touches in people.items():
        used = ""
        for ms, instant in groupby((touch for touch in touches if touch.inbound), key=lambda touch: touch.ms):
            for channel in sorted(
                {touch.channel for touch in instant}, key=lambda name: (name != used, name)
            ):
                if used and channel != used and since <= ms < until:
                    switches[used, channel] += 1
                    who[used, channel].add(person)
                used = channel
    whole: Counter[str] = Counter()
    for (before, _), count in switches.items():
        whole[before] += count
    return [(*pair, count, len(who[pair]), count / whole[pair[0]]) for pair, count in switches.items()]


def handoffs(people: People, since: int, until: int, within_ms: int) -> Rows:
    """Rows: from, preceded by, to, answered by, times, people, same issue, median."""
    found: dict[tuple[str, ...], list[tuple[str, bool, float]]] = defaultdict(list)
    for person, touches in people.items():
        inbound = [touch for touch in within(touches, since, until) if touch.inbound]
        inbound.sort(
            key=lambda t: (t.ms, CATALOGUE.human(t.channel), t.source, t.channel, t.type, t.issue_id)
        )
        for one, other in pairwise(inbound):
            near = other.ms - one.ms <= within_ms
            if near and not CATALOGUE.human(one.channel) and CATALOGUE.human(other.channel):
                same = one.issue_id != "" and one.issue_id == other.issue_id
                found[one.channel, one.type, other.channel, other.type].append(
                    (person, same, (other.ms - one.ms) / 1000)
                )
    return [
        (
            *names,
            len(all_),
            len({p for p, *_ in all_}),
            sum(same for _, same, _ in all_),
            quantile([s for *_, s in all_], 0.5),
        )
        for names, all_ in found.items()
    ]


def friction(people: People, since: int, until: int) -> Rows:
    """Rows: component, step, channel, touchpoints, people, friction, ouch moments."""
    found: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for person, touches in people.items():
        for touch in within(touches, since, until):
            kind = CATALOGUE.types.get(touch.type)
            if kind and kind.friction:
                found[kind.component, touch.type, touch.channel].append(person)
    rows: Rows = []
    for names, who in found.items():
        kind = CATALOGUE.types[names[1]]
        rows.append(
            (*names, len(who), len(set(who)), kind.friction * len(who), len(who) * (kind.moment == "ouch"))
        )
    return rows


# -- carts, cohorts, conversions ------------------------------------------------------------------------------------


def carts(people: People, since: int, until: int, within_ms: int, by: str) -> Rows:
    """Rows: outcome, what brought back, carts, median seconds."""
    found: dict[tuple[str, str], list[float | None]] = defaultdict(list)
    for touches in people.values():
        orders = [t.ms for t in within(touches, since, until) if effect(t.type) == "order_placed"]
        for visit in visits(touches):
            opened = [t.ms for t in visit.touches if effect(t.type) == "cart_opened" and t.ms < until]
            if not opened or opened[0] < since:
                continue
            due = visit.last_at + RULES.session_gap_ms
            met = any(effect(t.type) == "order_placed" for t in visit.touches)
            back = next(
                (t for t in within(touches, since, until) if t.inbound and 0 < t.ms - due <= within_ms), None
            )
            if met or any(opened[0] <= at <= due for at in orders):
                found["ordered in time", ""].append(None)
            elif due >= until:
                found["still open", ""].append(None)
            elif back is None:
                found["did not come back", ""].append(None)
            else:
                again = any(0 < at - due <= within_ms for at in orders)
                sent = [
                    (t.ms, t.type)
                    for t in touches
                    if direction(t.type) == "outbound" and due < t.ms <= back.ms
                ]
                reminder = max(sent, default=(0, ""))[1]
                brought = reminder if by == "reminder" else getattr(back, by)
                found["came back and ordered" if again else "came back", brought].append(
                    (back.ms - due) / 1000
                )
    return [
        (*names, len(all_), quantile([seconds for seconds in all_ if seconds is not None], 0.5))
        for names, all_ in found.items()
    ]


def cohorts(people: People, since: int, until: int, by: str, weeks: int) -> Rows:
    """Rows: segment, beginning in ms, week, people, active."""
    members: dict[tuple[str, int], list[set[int]]] = defaultdict(list)
    for touches in people.values():
        inbound = [touch for touch in touches if touch.inbound and touch.ms < until]
        if not inbound or inbound[0].ms < since:
            continue
        begins = [(touch.ms - MONDAY) // WEEK for touch in inbound]
        campaigns = [
            touch.campaign for touch in sorted(inbound, key=lambda t: (t.ms, t.campaign)) if touch.campaign
        ]
        segment = {"": "", "channel": inbound[0].channel, "campaign": (campaigns or [""])[0]}[by]
        members[segment, begins[0]].append({week - begins[0] for week in begins})
    return [
        (segment, begin * WEEK + MONDAY, week, len(all_), sum(week in active for active in all_))
        for (segment, begin), all_ in members.items()
        for week in range(min(weeks, (until - 1 - begin * WEEK - MONDAY) // WEEK + 1))
    ]


def conversion_paths(
    people: People, since: int, until: int, within_ms: int, by: str, top: int
) -> Iterator[tuple[Any, ...]]:
    """Person, converted, ms of the conversion or None, amount, currency, touches, their ages in seconds."""
    marketing = {
        n
        for n, kind in CATALOGUE.types.items()
        if kind.component == "marketing" and kind.direction != "internal"
    }
    counted = Counter(
        getattr(t, by)
        for touches in people.values()
        for t in within(touches, since - within_ms, until)
        if t.type in marketing and getattr(t, by)
    )
    frequent = sorted(counted, key=lambda name: (-counted[name], name))[:top]
    for person, touches in people.items():
        seen = within(touches, since - within_ms, until)
        marks = [
            (
                t.ms,
                (getattr(t, by) if getattr(t, by) in frequent else "(other)") if getattr(t, by) else "(none)",
            )
            for t in seen
            if t.type in marketing
        ]
        marks += [
            (visit.touches[0].ms, "(direct)")
            for visit in visits(touches)
            if since - within_ms <= visit.touches[0].ms < until
            and not marketing & {t.type for t in visit.touches}
        ]
        marks.sort()
        goals = _orders([touch for touch in seen if effect(touch.type) == "order_placed"])
        times = [ms for ms, *_ in goals]
        for ms, amount, currency in goals:
            after = max((at for at in times if at < ms), default=-(2**60))
            own = [(at, value) for at, value in marks if after < at <= ms and ms - at <= within_ms]
            if ms >= since:
                yield person, 1, ms, amount, currency, *_told(own, ms)
        rest = [(at, value) for at, value in marks if at > max(times, default=-(2**60)) and at >= since]
        if rest:
            yield person, 0, None, 0, "", *_told(rest, rest[-1][0])


def _told(own: list[tuple[int, str]], end: int) -> tuple[list[str], list[float]]:
    if not own:
        return ["(nothing)"], [0.0]
    return [value for _, value in own], [(end - at) / 1000 for at, _ in own]


def _orders(goals: list[Touch]) -> list[tuple[int, int, str]]:
    """Time, amount and currency of each order: the first of its touchpoints, the first amount that one states."""
    stated = sorted(
        (g.ms, g.type, g.order_id, g.amount or 0, g.currency if g.amount is not None else "") for g in goals
    )
    found, seen = [], set()
    for ms, _, order_id, amount, currency in stated:
        if order_id and order_id in seen:
            continue
        seen.add(order_id)
        if order_id and not currency:
            amount, currency = next(
                ((a, c) for _, _, other, a, c in stated if other == order_id and c), (0, "")
            )
        found.append((ms, amount, currency))
    return found
