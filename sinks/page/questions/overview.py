"""The overview: where people are now, what they do, what goes wrong, what comes in."""

from typing import Final

from sinks.page.panels import Chart, Column, Page, Panel

TOTALS: Final = Panel(
    "totals",
    "Now",
    "People whose newest touchpoint lies in the time range (view journeys). Here now: a session within the last 30"
    " minutes. Waiting: at least one open issue.",
    """
    SELECT count() AS people, countIf(session_last_at >= now64(3) - INTERVAL 30 MINUTE) AS here_now,
        sum(touchpoints) AS touchpoints, countIf(notEmpty(open_issues.issue_id)) AS waiting,
        countIf(arrayExists(due -> due < now64(3), open_issues.due_at)) AS overdue,
        sum(orders) AS orders, sum(carts) - sum(carts_met) AS abandoned, sum(handoffs) AS handoffs
    FROM journeys WHERE {where}""",
    (
        Column("people", "people", "number", "/people"),
        Column("here_now", "here now", "number", "/people?order=newest"),
        Column("waiting", "waiting", "number", "/people?order=waiting"),
        Column("overdue", "overdue", "number", "/people?order=waiting"),
        Column("orders", "orders", "number"),
        Column("abandoned", "abandoned carts", "number"),
        Column("handoffs", "digital → human", "number"),
        Column("touchpoints", "touchpoints", "number"),
    ),
    ("states",),
    "journeys",
    shape="tiles",
    wide=True,
)

STAGES: Final = Panel(
    "stages",
    "People per stage",
    "People by the lifecycle stage that they are in, with the mean of their friction (view journeys).",
    """
    SELECT toString(stage) AS stage, count() AS people, avg(friction) AS friction, sum(orders) AS orders
    FROM journeys WHERE {where} GROUP BY stage ORDER BY people DESC""",
    (
        Column("stage", "stage", link="/?stage={stage}", empty="none yet"),
        Column("people", "people", "number"),
        Column("friction", "mean friction", "decimal"),
        Column("orders", "orders", "number"),
    ),
    ("states",),
    "journeys",
    Chart("bar", {"label": "stage", "value": "people"}),
)

SWITCHES: Final = Panel(
    "switches",
    "Channel switching",
    "From which channel people went to which, over all time (view channel_switches).",
    """
    SELECT from_channel, to_channel, switches, profiles FROM channel_switches
    WHERE tenant = %(tenant)s ORDER BY switches DESC, from_channel, to_channel LIMIT 60""",
    (
        Column("from_channel", "from"),
        Column("to_channel", "to", link="/?channel={to_channel}"),
        Column("switches", "switches", "number"),
        Column("profiles", "people", "number"),
    ),
    ("states",),
    chart=Chart("sankey", {"from": "from_channel", "to": "to_channel", "value": "switches"}, 320),
)

SIGNALS: Final = Panel(
    "signals-now",
    "Signals",
    "The newest signals that hold: raised and not retracted (view signals_open).",
    """
    SELECT toString(kind) AS kind, occurred_at, rule, profile_id, signal_id FROM signals_open
    WHERE {where} ORDER BY occurred_at DESC, signal_id LIMIT 40""",
    (
        Column("occurred_at", "since", "ago"),
        Column("kind", "signal", link="/signals?kind={kind}"),
        Column("profile_id", "person", "profile", "/person?id={profile_id}"),
        Column("rule", "why"),
    ),
    ("signals",),
    "signals",
)

PAGE: Final = Page("overview", "Overview", (TOTALS, STAGES, SIGNALS, SWITCHES))
