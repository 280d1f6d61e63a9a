"""What people do: funnel, paths, channels, carts, cohorts, money, experiments; and where it hurts."""

from typing import Final

from sinks.page.panels import Chart, Column, Page, Panel

FUNNEL: Final = Panel(
    "funnel",
    "From looking to buying",
    "People who did these steps in this order within seven days; the share is of the first step (view funnel)."
    " `touchline report funnel` asks about any other steps.",
    """
    SELECT step, type, reached, from_first_share, from_previous_share, stopped, median_seconds, p90_seconds
    FROM funnel({period}, steps = ['product_view', 'add_to_cart', 'checkout_started', 'order_placed'],
        within_seconds = 604800, order = 'ordered', per = 'person', by = '', top = 1)
    ORDER BY step""",
    (
        Column("type", "step"),
        Column("reached", "people", "number"),
        Column("from_first_share", "of the first", "percent"),
        Column("from_previous_share", "of the one before", "percent"),
        Column("stopped", "went no further", "number"),
        Column("median_seconds", "after, median", "span"),
        Column("p90_seconds", "after, p90", "span"),
    ),
    ("states",),
    "range",
    Chart("funnel", {"label": "type", "value": "reached", "share": "from_first_share"}),
)

PATHS: Final = Panel(
    "paths",
    "Paths",
    "What people do one after the other from the beginning of a session, and where sessions end (view paths).",
    """
    SELECT depth, from_type, to_type, reached, reached_share
    FROM paths({period}, anchor = '', direction = 'after', hops = 4, per = 'session', top = 5)
    ORDER BY depth, reached DESC, from_type, to_type""",
    (
        Column("depth", "after steps", "number"),
        Column("from_type", "from"),
        Column("to_type", "to"),
        Column("reached", "sessions", "number"),
        Column("reached_share", "share", "percent"),
    ),
    ("states",),
    "range",
    Chart("sankey", {"from": "from_type", "to": "to_type", "value": "reached", "depth": "depth"}, 320),
    span2=True,
)

MATRIX: Final = Panel(
    "matrix",
    "Channel switching",
    "From which channel people went to which, as the journey state counts switches (view channel_matrix).",
    """
    SELECT from_channel, to_channel, switches, people, from_share FROM channel_matrix({period})
    ORDER BY from_channel, to_channel""",
    (
        Column("from_channel", "from", link="/people?channel={from_channel}"),
        Column("to_channel", "to"),
        Column("switches", "switches", "number"),
        Column("people", "people", "number"),
        Column("from_share", "share", "percent"),
    ),
    ("states",),
    "range",
    Chart("heatmap", {"x": "to_channel", "y": "from_channel", "value": "switches"}, 320),
)

SPOTS: Final = Panel(
    "spots",
    "Friction by step and channel",
    "Touchpoints that cost patience: the catalogue's weights, summed (0.5 a nuisance, 4 harmed; view friction_spots).",
    """
    SELECT step, channel, friction, friction_share, touchpoints, people, ouch_moments
    FROM friction_spots({period}, top = 40) ORDER BY sum(friction) OVER (PARTITION BY step) DESC, step, channel""",
    (
        Column("step", "step"),
        Column("channel", "channel", link="/people?order=friction&channel={channel}"),
        Column("friction", "friction", "decimal"),
        Column("friction_share", "share", "percent"),
        Column("touchpoints", "touchpoints", "number"),
        Column("people", "people", "number"),
        Column("ouch_moments", "ouch", "number"),
    ),
    ("states",),
    "range",
    Chart("heatmap", {"x": "channel", "y": "step", "value": "friction"}, 400),
)

OWNERS: Final = Panel(
    "owners",
    "Friction by team",
    "Which team causes what: friction by the team that answers for the touchpoint's type, per channel (view"
    " friction_by_owner).",
    """
    SELECT owner, channel, friction, share, touchpoints, ouch_moments, mostly FROM (
        SELECT owner, channel, sum(f.friction) AS friction, sum(f.share) AS share, sum(f.touchpoints) AS touchpoints,
            sum(f.ouch_moments) AS ouch_moments, argMax(type, f.friction) AS mostly
        FROM friction_by_owner({period}) AS f WHERE %(channel)s = '' OR channel = %(channel)s
        GROUP BY owner, channel)
    ORDER BY sum(friction) OVER (PARTITION BY owner) DESC, owner, channel""",
    (
        Column("owner", "team"),
        Column("channel", "channel", link="/people?order=friction&channel={channel}"),
        Column("friction", "friction", "decimal"),
        Column("share", "share", "percent"),
        Column("touchpoints", "touchpoints", "number"),
        Column("ouch_moments", "ouch", "number"),
        Column("mostly", "mostly"),
    ),
    ("states",),
    "channel",
    Chart("heatmap", {"x": "channel", "y": "owner", "value": "friction"}, 400),
)

REVENUE: Final = Panel(
    "revenue",
    "Orders and revenue",
    "Orders less what was given back, over time, by currency (view revenue).",
    """
    SELECT toDateTime64(from_time, 3, 'UTC') AS from_time, if(currency = '', 'no amount', currency) AS currency,
        orders, toFloat64(ordered) AS ordered, toFloat64(net) AS net, returns, cancellations
    FROM revenue({period}, bucket_seconds = %(bucket_seconds)s) ORDER BY from_time, currency""",
    (
        Column("from_time", "from", "time"),
        Column("currency", "currency"),
        Column("net", "revenue", "decimal"),
        Column("ordered", "ordered", "decimal"),
        Column("orders", "orders", "number"),
        Column("returns", "returns", "number"),
        Column("cancellations", "cancelled", "number"),
    ),
    ("states",),
    "range",
    Chart("line", {"x": "from_time", "series": "currency", "value": "net"}),
    empty="No order in this time range.",
)

MIX: Final = Panel(
    "mix",
    "Channels over time",
    "Touchpoints by channel and period (view channel_mix).",
    """
    SELECT toDateTime64(period_start, 3, 'UTC') AS period_start, channel, touchpoints, touchpoints_share, inbound,
        people
    FROM channel_mix({period}, period = %(period)s) ORDER BY period_start, channel""",
    (
        Column("period_start", "from", "time"),
        Column("channel", "channel"),
        Column("touchpoints", "touchpoints", "number"),
        Column("touchpoints_share", "share", "percent"),
        Column("inbound", "inbound", "number"),
        Column("people", "people", "number"),
    ),
    ("states",),
    "range",
    Chart("stacked", {"x": "period_start", "series": "channel", "value": "touchpoints"}, 320),
    span2=True,
)

CARTS: Final = Panel(
    "carts",
    "Carts",
    "What became of carts: bought; or abandoned, and by which channel the person came back within a week, or not (view"
    " carts).",
    """
    SELECT outcome, back_by, carts, carts_share, median_seconds,
        if(back_by = '', outcome, concat('came back by ', back_by,
            if(outcome = 'came back and ordered', ', ordered', ''))) AS what
    FROM carts({period}, within_seconds = 604800, by = 'channel') ORDER BY carts DESC, outcome, back_by""",
    (
        Column("what", "what became of it"),
        Column("carts", "carts", "number"),
        Column("carts_share", "share", "percent"),
        Column("median_seconds", "came back after, median", "span"),
    ),
    ("states",),
    "range",
    Chart("bar", {"label": "what", "value": "carts"}, 320),
    empty="No cart was opened in this time range.",
)

HANDOFFS: Final = Panel(
    "handoffs",
    "From machine to person",
    "Who had to turn to a person within a day of trying it alone, and what came before. The tile of the overview counts"
    " only those within one issue (view handoffs).",
    """
    SELECT from_channel, preceded_by, to_channel, answered_by, times, people, same_issue, median_seconds
    FROM handoffs({period}, within_seconds = 86400, top = 30)
    ORDER BY times DESC, from_channel, preceded_by, to_channel, answered_by""",
    (
        Column("preceded_by", "after"),
        Column("from_channel", "on"),
        Column("to_channel", "to", link="/people?channel={to_channel}"),
        Column("answered_by", "by"),
        Column("times", "times", "number"),
        Column("people", "people", "number"),
        Column("same_issue", "of one issue", "number"),
        Column("median_seconds", "after, median", "span"),
    ),
    ("states",),
    "range",
    empty="Nobody had to, in this time range.",
    span2=True,
)

COHORTS: Final = Panel(
    "cohorts",
    "Who comes back",
    "People by the week of their first touchpoint, and the share that was active in the weeks after (view cohorts).",
    """
    SELECT cohort_start, concat(formatDateTime(cohort_start, '%%e %%b'), ' · ', toString(people)) AS cohort,
        week, concat('week ', toString(week)) AS week_name, active_share, active_people, people
    FROM cohorts({period}, by = '', weeks = 9) ORDER BY cohort_start DESC, week LIMIT 200""",
    (
        Column("cohort", "cohort · people"),
        Column("week_name", "after"),
        Column("active_share", "active", "percent"),
        Column("active_people", "active people", "number"),
        Column("people", "of", "number"),
    ),
    ("states",),
    "range",
    Chart("heatmap", {"x": "week_name", "y": "cohort", "value": "active_share"}, 400),
    span2=True,
    empty="No cohort began in this time range.",
)

NEXT: Final = Panel(
    "likely-next",
    "What people will probably do next",
    "By the predictions in their journeys: the number of people to expect, if each comes once more (view"
    " likely_next_contacts).",
    """
    SELECT type, component, owner, expected, people, likeliest_of
    FROM likely_next_contacts({period}, stage = %(stage)s) ORDER BY expected DESC, type LIMIT 20""",
    (
        Column("type", "touchpoint"),
        Column("expected", "people to expect", "decimal"),
        Column("likeliest_of", "likeliest of", "number"),
        Column("owner", "team"),
        Column("component", "component"),
    ),
    ("states",),
    "stage",
    Chart("bar", {"label": "type", "value": "expected"}, 400),
    empty="No prediction for anybody of this time range.",
)

TRANSITIONS: Final = Panel(
    "transitions",
    "Between stages",
    "From which lifecycle stage people went to which, and how long they had been there (view stage_transitions).",
    """
    SELECT if(from_stage = '', 'beginning', from_stage) AS from_stage, to_stage, transitions, profiles, share,
        median_seconds
    FROM stage_transitions({period}) ORDER BY transitions DESC, from_stage, to_stage""",
    (
        Column("from_stage", "from"),
        Column("to_stage", "to", link="/people?stage={to_stage}"),
        Column("transitions", "times", "number"),
        Column("profiles", "people", "number"),
        Column("share", "share", "percent"),
        Column("median_seconds", "after, median", "span"),
    ),
    ("states",),
    "range",
    Chart("sankey", {"from": "from_stage", "to": "to_stage", "value": "transitions"}, 400),
    empty="Nobody changed the stage in this time range.",
)

EXPERIMENTS: Final = Panel(
    "experiments",
    "Experiments",
    "Experiments that people saw, and how many saw each variant (view experiments). `touchline report` compares them.",
    """
    SELECT experiment, variant, people, touchpoints, first_at, last_at FROM experiments({period})
    ORDER BY experiment, variant""",
    (
        Column("experiment", "experiment"),
        Column("variant", "variant", link="/people?experiment={experiment}%3D{variant}"),
        Column("people", "people", "number"),
        Column("first_at", "since", "time"),
        Column("last_at", "last", "ago"),
    ),
    ("states",),
    "range",
    empty="No experiment in this time range.",
    short=True,
)

PAGE: Final = Page(
    "behaviour",
    "Behaviour",
    (MIX, TRANSITIONS, CARTS, HANDOFFS, COHORTS, NEXT, EXPERIMENTS),
)
