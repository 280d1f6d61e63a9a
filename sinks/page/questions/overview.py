"""The overview: where people are now, what they do, what goes wrong, what comes in."""

from typing import Final

from sinks.page.panels import Chart, Column, Page, Panel
from sinks.page.questions import behaviour, service

TOTALS: Final = Panel(
    "totals",
    "Now",
    "People whose newest touchpoint lies in the time range, and what they did in their whole journeys (view journeys)."
    " Here now: a session within the last 30 minutes. Waiting: people with an open issue, whenever they were last seen;"
    " overdue: one that is past its date. A cart is abandoned when its session has ended without an order."
    " A hand-off is a change from a digital to a human channel within one issue.",
    """
    SELECT countIf(inside) AS people, countIf(inside AND session_last_at >= now64(3) - INTERVAL 30 MINUTE) AS here_now,
        sumIf(touchpoints, inside) AS touchpoints, countIf(notEmpty(open_issues.issue_id)) AS waiting,
        countIf(arrayExists(due -> due < now64(3), open_issues.due_at)) AS overdue, sumIf(orders, inside) AS orders,
        sumIf(carts - carts_met - arrayCount(e -> e.kind = 'cart' AND e.status = 'OPEN' AND e.due_at > now64(3),
            expectations), inside) AS abandoned,
        sumIf(handoffs, inside) AS handoffs
    FROM (SELECT *, last_seen >= %(since)s AND last_seen < %(until)s AS inside FROM journeys WHERE {where})""",
    (
        Column("people", "people", "number", "/people"),
        Column("here_now", "here now", "number", "/people?order=newest"),
        Column("waiting", "waiting", "number", "/people?order=waiting&range=all"),
        Column("overdue", "overdue", "number", "/people?order=waiting&range=all"),
        Column("orders", "their orders", "number"),
        Column("abandoned", "abandoned carts", "number"),
        Column("handoffs", "their hand-offs", "number"),
        Column("touchpoints", "their touchpoints", "number"),
    ),
    ("states",),
    "standing",
    shape="tiles",
    wide=True,
)

PEOPLE: Final = Panel(
    "people-now",
    "People now",
    "People by the lifecycle stage that they are in and the component of their newest touchpoint, with the time that"
    " they have been in the stage (view people_now).",
    """
    SELECT stage, component, people, people_share, dwell_median_seconds, dwell_p90_seconds
    FROM people_now(tenant = %(tenant)s, since = %(since)s, until = %(until)s)
    ORDER BY sum(people) OVER (PARTITION BY stage) DESC, stage, people DESC""",
    (
        Column("stage", "stage", link="/people?stage={stage}", empty="none yet"),
        Column("component", "component", empty="none"),
        Column("people", "people", "number"),
        Column("people_share", "share", "percent"),
        Column("dwell_median_seconds", "in it, median", "span"),
        Column("dwell_p90_seconds", "in it, p90", "span"),
    ),
    ("states",),
    "range",
    Chart("stacked", {"x": "stage", "series": "component", "value": "people"}, 320),
)

SIGNALS: Final = Panel(
    "signals-now",
    "Signals",
    "The newest signals that hold, raised and not retracted, with what a person can do about them (view signals_open).",
    """
    SELECT occurred_at, toString(kind) AS kind, profile_id, rule, signal_id,
        transform(kind,
            ['abandoned_cart', 'abandoned_checkout', 'quote_unanswered', 'repeat_contact', 'channel_hopping',
             'friction_spike', 'sentiment_drop', 'detractor', 'issue_overdue', 'stage_entered', 'consent_withdrawn',
             'profile_merged'],
            ['remind, or ask what stopped them', 'help them finish', 'answer the quote', 'call, and solve it once',
             'take the case over', 'ask what went wrong', 'ask what went wrong', 'call back within two days',
             'answer today', 'greet them there', 'stop sending', 'look at both histories'],
            'look at the journey') AS advice
    FROM signals_open WHERE {where} ORDER BY occurred_at DESC, signal_id LIMIT 40""",
    (
        Column("occurred_at", "since", "ago"),
        Column("kind", "signal", link="/signals?kind={kind}"),
        Column("profile_id", "person", "profile", "/person?id={profile_id}"),
        Column("advice", "what to do"),
        Column("rule", "why"),
    ),
    ("signals",),
    "signals",
    row="signal_id",
    span2=True,
    empty="No signal holds in this time range.",
)

PAGE: Final = Page(
    "overview",
    "Overview",
    (
        TOTALS,
        PEOPLE,
        SIGNALS,
        behaviour.FUNNEL,
        behaviour.PATHS,
        behaviour.MATRIX,
        behaviour.SPOTS,
        behaviour.OWNERS,
        service.ISSUES,
        behaviour.REVENUE,
        service.NPS,
        behaviour.MIX,
    ),
)
