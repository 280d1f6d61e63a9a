"""Service: what is open and overdue, how well it is solved, and how customers say it was."""

from typing import Final

from sinks.page.panels import Chart, Column, Page, Panel

ISSUES: Final = Panel(
    "issues",
    "Open and overdue issues",
    "Cases that wait for their solution, the most overdue first (view issues).",
    """
    SELECT issue_id, status, profile_id, opened_at, due_at, contacts, channels, owner, type
    FROM issues({period}) WHERE {where} AND status != 'solved'
    ORDER BY due_at, issue_id, profile_id LIMIT 100""",
    (
        Column("issue_id", "issue", "code"),
        Column("status", "status", bad="overdue"),
        Column("profile_id", "person", "profile", "/person?id={profile_id}"),
        Column("due_at", "due", "time"),
        Column("opened_at", "open since", "ago"),
        Column("contacts", "contacts", "number"),
        Column("channels", "by", "list"),
        Column("owner", "team", empty="none"),
    ),
    ("states",),
    "issues",
    row="issue_id",
    span2=True,
    empty="Nobody waits for an answer.",
)

NPS: Final = Panel(
    "nps",
    "Scores over time",
    "NPS (-100 to 100), and the good answers to CSAT and CES in per cent, per day (view scores).",
    """
    SELECT toDateTime64(toDate(segment), 3, 'UTC') AS day, toString(kind) AS kind, score,
        nullIf(margin, 0) AS margin, answers
    FROM scores({period}, by = 'day') ORDER BY day, kind""",
    (
        Column("day", "day", "time"),
        Column("kind", "survey"),
        Column("score", "score", "decimal"),
        Column("margin", "±", "decimal"),
        Column("answers", "answers", "number"),
    ),
    ("states",),
    "range",
    Chart("line", {"x": "day", "series": "kind", "value": "score"}),
    empty="Nobody answered a survey in this time range.",
)

QUALITY: Final = Panel(
    "quality",
    "How service does",
    "By the team whose touchpoint began the issue: first contact resolution, repeat contact, time to solve (view"
    " service_quality).",
    """
    SELECT if(segment = '', 'none', segment) AS team, issues, open, overdue, solved,
        first_contact_resolution_rate, repeat_contact_rate, in_time_rate, next_issue_avoidance_rate,
        solve_median_seconds
    FROM service_quality({period}, by = 'owner', within_seconds = 604800) ORDER BY issues DESC, team""",
    (
        Column("team", "team"),
        Column("issues", "issues", "number"),
        Column("open", "open", "number"),
        Column("overdue", "overdue", "number"),
        Column("solved", "solved", "number"),
        Column("first_contact_resolution_rate", "at first contact", "percent"),
        Column("repeat_contact_rate", "contacted again", "percent"),
        Column("in_time_rate", "in time", "percent"),
        Column("next_issue_avoidance_rate", "no next issue", "percent"),
        Column("solve_median_seconds", "to solve, median", "span"),
    ),
    ("states",),
    "range",
    wide=True,
    empty="No issue in this time range.",
    short=True,
)

BY_CHANNEL: Final = Panel(
    "quality-channels",
    "By channel",
    "The same by the channel on which the issue began (view service_quality).",
    """
    SELECT if(segment = '', 'none', segment) AS channel, issues, solved, first_contact_resolution_rate,
        repeat_contact_rate, solve_median_seconds
    FROM service_quality({period}, by = 'channel', within_seconds = 604800) ORDER BY issues DESC, channel""",
    (
        Column("channel", "channel", link="/service?channel={channel}"),
        Column("issues", "issues", "number"),
        Column("solved", "solved", "number"),
        Column("first_contact_resolution_rate", "at first contact", "percent"),
        Column("repeat_contact_rate", "again", "percent"),
        Column("solve_median_seconds", "to solve, median", "span"),
    ),
    ("states",),
    "range",
    Chart("bar", {"label": "channel", "value": "issues"}),
    empty="No issue in this time range.",
)

SCORES: Final = Panel(
    "scores",
    "What customers say, by team",
    "NPS, CSAT and CES by the team of the touchpoint that the answer is about (view scores).",
    """
    SELECT if(segment = '', 'none', segment) AS team, toString(kind) AS kind, score, nullIf(margin, 0) AS margin,
        answers, mean
    FROM scores({period}, by = 'owner') ORDER BY kind, score, team""",
    (
        Column("team", "team"),
        Column("kind", "survey"),
        Column("score", "score", "decimal"),
        Column(
            "margin",
            "±",
            "decimal",
            hint="Half the width of the 95% interval; unknown if all answers are alike",
        ),
        Column("answers", "answers", "number"),
        Column("mean", "mean", "decimal"),
    ),
    ("states",),
    "range",
    empty="Nobody answered a survey in this time range.",
)

CONSENT: Final = Panel(
    "consent",
    "Consent by purpose",
    "Of the people of the time range: who granted, denied or revoked it, and who never decided (view"
    " consent_coverage).",
    """
    SELECT purpose, people, granted, denied, revoked, unknown, granted_share FROM consent_coverage({period})
    ORDER BY granted DESC, purpose""",
    (
        Column("purpose", "purpose"),
        Column("granted_share", "granted", "percent"),
        Column("granted", "yes", "number", hint="Granted"),
        Column("denied", "no", "number", hint="Denied"),
        Column("revoked", "revoked", "number"),
        Column("unknown", "never", "number", hint="Never decided"),
    ),
    ("states",),
    "range",
    empty="Nobody was asked in this time range.",
)

PAGE: Final = Page("service", "Service", (ISSUES, BY_CHANNEL, QUALITY, NPS, SCORES, CONSENT))
