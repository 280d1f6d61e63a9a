"""Signals: which rules raise how many, how often they are taken back, and the newest of each."""

from typing import Final

from sinks.page.panels import Chart, Column, Page, Panel

KINDS: Final = Panel(
    "signal-kinds",
    "Rules, retractions and answers",
    "Signals by kind: raised in the time range, still standing, taken back; and of the standing ones how many we"
    " followed by a contact and how many the person answered (view signal_rates).",
    """
    SELECT kind, signals, standing, retracted, retraction_rate, contacted, answered, answer_rate,
        answer_median_seconds
    FROM signal_rates({period}) ORDER BY signals DESC, kind""",
    (
        Column("kind", "signal", link="/signals?kind={kind}"),
        Column("signals", "raised", "number"),
        Column("standing", "hold now", "number"),
        Column("retracted", "taken back", "number"),
        Column("retraction_rate", "rate", "percent", hint="taken back, of raised"),
        Column("contacted", "we reacted", "number"),
        Column("answered", "answered", "number"),
        Column("answer_rate", "rate", "percent", hint="answered, of those that hold"),
        Column("answer_median_seconds", "answered after, median", "span"),
    ),
    ("signals",),
    "range",
    Chart("bar", {"label": "kind", "value": "standing"}, 320),
    span2=True,
    empty="No signal was raised in this time range.",
)

RATE: Final = Panel(
    "signal-rate",
    "Signals per day",
    "Signals that hold, by the day since when they do (view signals_open).",
    """
    SELECT toDateTime64(toStartOfDay(occurred_at), 3, 'UTC') AS day, toString(kind) AS kind, count() AS signals
    FROM signals_open WHERE {where} GROUP BY day, kind ORDER BY day, kind""",
    (Column("day", "day", "time"), Column("kind", "signal"), Column("signals", "signals", "number")),
    ("signals",),
    "signals",
    Chart("stacked", {"x": "day", "series": "kind", "value": "signals"}, 320),
)

LIST: Final = Panel(
    "signals",
    "Signals that hold",
    "The newest 300 signals that are raised and not retracted (view signals_open).",
    """
    SELECT toString(kind) AS kind, occurred_at, rule, profile_id, signal_id,
        arrayMap((name, value) -> concat(name, ': ', value), mapKeys(details), mapValues(details)) AS details
    FROM signals_open WHERE {where} AND (%(kind)s = '' OR kind = %(kind)s)
    ORDER BY occurred_at DESC, signal_id LIMIT 300""",
    (
        Column("occurred_at", "since", "ago"),
        Column("kind", "signal", link="/signals?kind={kind}"),
        Column("profile_id", "person", "profile", "/person?id={profile_id}"),
        Column("rule", "why"),
        Column("details", "details", "chips"),
    ),
    ("signals",),
    "signals",
    wide=True,
    empty="No signal holds.",
    takes=("kind",),
)

PAGE: Final = Page("signals", "Signals", (KINDS, RATE, LIST))
