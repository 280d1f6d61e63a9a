"""Data health: whether a number can be trusted now. The line stands above every page and turns red."""

from typing import Final

from sinks.page.panels import Chart, Column, Page, Panel
from sinks.page.questions.letters import KINDS, UNKNOWN

LINE: Final = Panel(
    "health",
    "Data health",
    "How old the newest rows are, how late touchpoints come, and how many sources of the last 30 days are"
    " silent for an hour and twice as long as they usually pause (views health_tables, health_sources, health_gaps).",
    """
    SELECT touchpoints_age, journeys_age, late, silent, journeys_age - touchpoints_age > 60 AS journeys_bad,
        silent > 0 AS silent_bad, late > 3600 AS late_bad
    FROM (SELECT minIf(loaded_ago_seconds, name = 'touchpoints_current') AS touchpoints_age,
            minIf(loaded_ago_seconds, name = 'journeys') AS journeys_age
        FROM health_tables(tenant = %(tenant)s)) AS tables
    CROSS JOIN (SELECT ifNull(max(late_p99_seconds), 0) AS late
        FROM health_sources(tenant = %(tenant)s, since = now64(3) - INTERVAL 1 HOUR, until = now64(3),
            late_seconds = 300)) AS sources
    CROSS JOIN (SELECT countIf(ongoing AND silent_seconds > 2 * usual_seconds) AS silent
        FROM health_gaps(tenant = %(tenant)s, since = now64(3) - INTERVAL 30 DAY, until = now64(3),
            gap_seconds = 3600)) AS gaps""",
    (
        Column("touchpoints_age", "newest touchpoint", "span"),
        Column("journeys_age", "newest journey", "span", bad="journeys_bad"),
        Column("late", "late in the last hour, p99", "span", bad="late_bad"),
        Column("silent", "silent sources", "number", "/health?range=30d", bad="silent_bad"),
    ),
    ("states", "dead_letters"),
    shape="strip",
)

TABLES: Final = Panel(
    "tables",
    "Freshness",
    "How fresh each table is: its newest event time, and when a row was written last. Stored rows count versions that"
    " a newer one supersedes (view health_tables).",
    """
    SELECT name, rows, watermark, loaded_at, loaded_ago_seconds FROM health_tables(tenant = %(tenant)s)
    ORDER BY name""",
    (
        Column("name", "table", "code"),
        Column("rows", "stored rows", "number"),
        Column("watermark", "newest event", "ago"),
        Column("loaded_at", "written", "ago"),
    ),
    ("states", "dead_letters"),
    span2=True,
)

LOADER: Final = Panel(
    "loader",
    "Until a row can be asked for",
    "Seconds from the reception of a touchpoint, and from the publication of a decision, to the row in ClickHouse (view"
    " health_loader).",
    """
    SELECT toDateTime64(hour, 3, 'UTC') AS hour, toString(name) AS name, rows, p50_seconds, p99_seconds, max_seconds
    FROM health_loader({period}) ORDER BY hour, name""",
    (
        Column("hour", "hour", "time"),
        Column("name", "what"),
        Column("p99_seconds", "p99, seconds", "decimal"),
        Column("p50_seconds", "p50, seconds", "decimal"),
        Column("max_seconds", "max, seconds", "decimal"),
        Column("rows", "rows", "number"),
    ),
    ("states",),
    "range",
    Chart("line", {"x": "hour", "series": "name", "value": "p99_seconds"}),
    empty="Nothing was loaded in this time range.",
)

SOURCES: Final = Panel(
    "sources",
    "Sources",
    "What each source sent per hour of reception, of a longer time range per day or week, how late, copies and unknown"
    " types. late, p99 is that of the worst hour (view health_sources).",
    """
    SELECT toDateTime64(toStartOfInterval(hour, INTERVAL greatest(3600, %(bucket_seconds)s) SECOND), 3, 'UTC') AS begun,
        toString(source) AS source, sum(s.touchpoints) AS touchpoints, sum(s.late) AS late,
        max(s.late_p99_seconds) AS late_p99_seconds, max(s.late_max_seconds) AS late_max_seconds,
        sum(s.copies) AS copies, sum(s.unknown_types) AS unknown_types
    FROM health_sources({period}, late_seconds = 300) AS s WHERE %(source)s = '' OR source = %(source)s
    GROUP BY begun, source ORDER BY begun, source""",
    (
        Column("begun", "received from", "time"),
        Column("source", "source", link="/health?source={source}"),
        Column("touchpoints", "touchpoints", "number"),
        Column("late", "late", "number"),
        Column("late_p99_seconds", "late, p99", "span"),
        Column("late_max_seconds", "late, most", "span"),
        Column("copies", "copies", "number"),
        Column("unknown_types", "unknown types", "number"),
    ),
    ("states",),
    "source",
    Chart("stacked", {"x": "begun", "series": "source", "value": "touchpoints"}, 320),
    wide=True,
    empty="Nothing was received in this time range.",
)

GAPS: Final = Panel(
    "gaps",
    "Silence",
    "Times of an hour or more in which a source sent nothing; the longest first (view health_gaps).",
    """
    SELECT toString(source) AS source, from_time, until_time, silent_seconds, usual_seconds,
        if(ongoing, 'still', '') AS ongoing
    FROM health_gaps({period}, gap_seconds = 3600) ORDER BY ongoing DESC, silent_seconds DESC, source LIMIT 100""",
    (
        Column("source", "source"),
        Column("ongoing", "now", empty="", bad="still"),
        Column("silent_seconds", "for", "span"),
        Column("usual_seconds", "usual", "span"),
        Column("from_time", "from", "time"),
        Column("until_time", "to", "time"),
    ),
    ("states",),
    "range",
    wide=True,
    empty="No source was silent for an hour.",
)

PAGE: Final = Page("health", "Health", (TABLES, LOADER, SOURCES, GAPS, KINDS, UNKNOWN))
