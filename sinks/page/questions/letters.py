"""Dead letters and names that the catalogue lacks: what could not be taken, or was taken without a meaning."""

from typing import Final

from sinks.page.panels import Column, Panel

KINDS: Final = Panel(
    "letters",
    "Dead letters",
    "Records that could not be taken, by reason, component and topic (view dead_letter_kinds). Nothing is lost: the"
    " command mends and sends them again.",
    """
    SELECT toString(reason) AS reason, toString(component) AS component, toString(topic) AS topic, letters,
        newest_letter, newest_error, newest_place,
        concat('touchline dead-letters show ', newest_place) AS show,
        concat('touchline dead-letters replay --reason ', toString(reason), ' --dry-run') AS replay
    FROM dead_letter_kinds ORDER BY newest_letter DESC, letters DESC LIMIT 200""",
    (
        Column("reason", "reason"),
        Column("component", "by"),
        Column("topic", "topic"),
        Column("letters", "letters", "number"),
        Column("newest_letter", "newest", "ago"),
        Column("newest_error", "newest error"),
        Column("show", "look at it", "code"),
        Column("replay", "send again", "code"),
    ),
    ("dead_letters",),
    wide=True,
    every_tenant=True,
    empty="No dead letter. Everything that came was taken.",
    short=True,
)

UNKNOWN: Final = Panel(
    "unknown",
    "Names that the catalogue lacks",
    "Types, channels and consent purposes without a meaning, per source, with the nearest known name (view"
    " unknown_names). Add them to the catalogue, or give them as aliases.",
    """
    SELECT kind, name, toString(source) AS source, touchpoints, last_at, nearest FROM unknown_names
    WHERE tenant = %(tenant)s ORDER BY touchpoints DESC, kind, name LIMIT 200""",
    (
        Column("kind", "kind"),
        Column("name", "name", "code"),
        Column("source", "source"),
        Column("touchpoints", "touchpoints", "number"),
        Column("last_at", "last seen", "ago"),
        Column("nearest", "perhaps", "code", empty=""),
    ),
    ("states",),
    wide=True,
    empty="The catalogue names everything that came.",
    short=True,
)
