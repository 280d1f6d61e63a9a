"""The questions whose time is promised, and each beside the plain way: an events table in the order of time that is
joined with a table of persons."""

from typing import Final, NamedTuple

from tests.benchmarks.analytics.measure import cost
from tests.benchmarks.analytics.server import Filled

_JOINED: Final = """(SELECT e.*, p.profile_id AS profile_id FROM plain_events AS e
    LEFT JOIN (SELECT * FROM plain_persons FINAL) AS p USING (tenant, identifier_type, identifier_value))"""

_FUNNEL: Final = """SELECT level, count() FROM (
    SELECT profile_id, windowFunnel(604800)(toDateTime(occurred_at), type = 'product_view', type = 'add_to_cart',
        type = 'checkout_started', type = 'order_placed') AS level
    FROM {} {} GROUP BY profile_id) GROUP BY level ORDER BY level"""
_SINCE: Final = "WHERE occurred_at >= '2026-03-02'"


class Question(NamedTuple):
    """A question in SQL, and how many ms it may take (0: no limit). `plain` asks the same the plain way, if it can."""

    name: str
    wanted: int
    sql: str
    plain: str = ""


_PERSON_IS: Final = "WHERE tenant = 'default' AND profile_id = '{profile}'"
_IDENTIFIER_IS: Final = (
    "WHERE tenant = 'default' AND identifier_type = 'cookie' AND identifier_value = '{cookie}'"
)
_LAST_DAY: Final = "SELECT channel, count() FROM {} WHERE occurred_at >= '2026-03-31' GROUP BY channel"
_TOP: Final = (
    "SELECT profile_id, count() AS touchpoints, min(occurred_at), max(occurred_at), groupUniqArray(channel) FROM {}"
    " GROUP BY profile_id ORDER BY touchpoints DESC, profile_id LIMIT 5"
)

QUESTIONS: Final = (
    Question("nothing (SELECT 1)", 0, "SELECT 1"),
    Question(
        "one person, by profile",
        50,
        f"SELECT * FROM touchpoints_current {_PERSON_IS}",
        f"SELECT * FROM {_JOINED} {_PERSON_IS}",
    ),
    Question(
        "one person, by profile, as documented",
        50,
        "SELECT * FROM person_touchpoints(tenant = 'default', profile_id = '{profile}')",
        f"SELECT * FROM {_JOINED} {_PERSON_IS}",
    ),
    Question(
        "one person, by identifier",
        50,
        f"SELECT * FROM touchpoints_current {_IDENTIFIER_IS}",
        f"SELECT * FROM {_JOINED} {_IDENTIFIER_IS}",
    ),
    Question(
        "count of touchpoints",
        300,
        "SELECT count() FROM touchpoints_current",
        f"SELECT count() FROM {_JOINED}",
    ),
    Question(
        "last day by channel", 200, _LAST_DAY.format("touchpoints_current"), _LAST_DAY.format("plain_events")
    ),
    Question(
        "profiles, top 5",
        3000,
        "SELECT * FROM profiles ORDER BY touchpoints DESC, profile_id LIMIT 5",
        _TOP.format(_JOINED),
    ),
    Question("sessions", 3000, "SELECT count() FROM sessions"),
    Question(
        "sessions, 30 days",
        1000,
        "SELECT count(), avg(touchpoints) FROM sessions WHERE started_at >= '2026-03-02'",
    ),
    Question("channel switches", 3000, "SELECT * FROM channel_switches ORDER BY switches DESC LIMIT 5"),
    Question(
        "channel switches, 30 days",
        1000,
        "SELECT from_channel, to_channel, count() FROM channel_switch_events WHERE occurred_at >= '2026-03-02'"
        " GROUP BY ALL",
    ),
    Question(
        "steps from and to",
        3000,
        "SELECT previous_type, type, count(), avg(seconds_since) FROM touchpoint_steps GROUP BY ALL",
    ),
    Question(
        "funnel of 4 steps", 2000, _FUNNEL.format("touchpoints_current", ""), _FUNNEL.format(_JOINED, "")
    ),
    Question(
        "funnel, 30 days",
        1000,
        _FUNNEL.format("touchpoints_current", _SINCE),
        _FUNNEL.format(_JOINED, _SINCE),
    ),
    Question("people per stage", 300, "SELECT stage, profiles FROM journey_stages ORDER BY profiles DESC"),
    Question(
        "open issues",
        300,
        "SELECT count(), sum(length(open_issues)) FROM journeys WHERE notEmpty(open_issues)",
    ),
    Question(
        "friction",
        300,
        "SELECT profile_id, friction FROM journeys ORDER BY friction DESC, profile_id LIMIT 10",
    ),
    Question(
        "one journey, by identifier",
        20,
        "SELECT * FROM journeys WHERE tenant = 'default' AND profile_id IN"
        f" (SELECT profile_id FROM identity_current {_IDENTIFIER_IS})",
    ),
)


def show(tables: Filled, only: str = "") -> None:
    """Print a row of a Markdown table for each question whose name has the word."""
    known = _known(tables)
    print("| question | wanted ms | cold | p50 | p95 | CPU s | rows read | MB read | plain way p50 | ratio |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for question in QUESTIONS:
        if only in question.name:
            found = cost(tables.client, tables.pid, question.sql.format(**known))
            beside = "|"
            if question.plain:
                plain = cost(tables.client, tables.pid, question.plain.format(**known))
                beside = f"{plain.p50:,.0f} ms | {found.p50 / plain.p50:.2f}"
            print(
                f"| {question.name} | {question.wanted:,} | {found.cold:,.0f} ms | {found.figures} | {beside} |",
                flush=True,
            )


def _known(tables: Filled) -> dict[str, str]:
    """A cookie with touchpoints, and whose it is."""
    ((profile, cookie),) = tables.client.execute(
        "SELECT owner_id, identifier_value FROM raw_touchpoints FINAL WHERE identifier_type = 'cookie' LIMIT 1"
    )
    return {"profile": profile, "cookie": cookie}
