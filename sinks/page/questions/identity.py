"""Identity: merges, splits, shared devices, the largest profiles, and evidence that the policy refused."""

from typing import Final

from sinks.page.panels import Chart, Column, Page, Panel

CHANGES: Final = Panel(
    "changes-by-day",
    "Merges and splits",
    "Decisions on who is one person, per day of the event that caused them (profile_changes).",
    """
    SELECT toDateTime64(toStartOfDay(occurred_at), 3, 'UTC') AS day, lower(toString(kind)) AS kind, count() AS changes
    FROM profile_changes FINAL
    WHERE {where} GROUP BY day, kind ORDER BY day, kind""",
    (Column("day", "day", "time"), Column("kind", "what"), Column("changes", "changes", "number")),
    ("changes",),
    "signals",
    Chart("line", {"x": "day", "series": "kind", "value": "changes"}),
)

NEWEST: Final = Panel(
    "changes-newest",
    "Newest decisions",
    "The newest merges, splits and erasures, and the rule behind each (profile_changes).",
    """
    SELECT occurred_at, lower(toString(kind)) AS kind, toString(rule) AS rule, profile_id, length(others) AS others
    FROM profile_changes FINAL WHERE {where} ORDER BY occurred_at DESC, version DESC LIMIT 100""",
    (
        Column("occurred_at", "when", "ago"),
        Column("kind", "what"),
        Column("rule", "rule"),
        Column("profile_id", "person", "profile", "/person?id={profile_id}"),
        Column("others", "with", "number", hint="How many other profiles"),
    ),
    ("changes",),
    "signals",
)

LARGEST: Final = Panel(
    "largest",
    "Largest profiles",
    "People with the most identifiers: look here for a policy that unites too much (view journeys).",
    """
    SELECT profile_id, length(identifiers) AS identifiers, touchpoints, last_seen,
        arraySort(arrayDistinct(identifiers.type)) AS types
    FROM journeys WHERE tenant = %(tenant)s ORDER BY identifiers DESC, profile_id LIMIT 50""",
    (
        Column("profile_id", "person", "profile", "/person?id={profile_id}"),
        Column("identifiers", "identifiers", "number"),
        Column("types", "types", "list"),
        Column("touchpoints", "touchpoints", "number"),
        Column("last_seen", "last seen", "ago"),
    ),
    ("states",),
    span2=True,
)

CONTESTED: Final = Panel(
    "contested",
    "Shared identifiers",
    "Devices and addresses on which more than one person was seen: from then on they belong to neither (view"
    " identity_current).",
    """
    SELECT concat(identifier_type, ':', identifier_value) AS identifier, contested_from, profile_id
    FROM identity_current WHERE tenant = %(tenant)s AND contested_from IS NOT NULL
    ORDER BY contested_from DESC, identifier LIMIT 100""",
    (
        Column("identifier", "identifier", "identifier"),
        Column("contested_from", "shared since", "time"),
        Column("profile_id", "was of", "profile", "/person?id={profile_id}"),
    ),
    ("assignments",),
    empty="No identifier is shared by several people.",
)

RULES: Final = Panel(
    "rules",
    "What the policy did",
    "Decisions by the rule of the identity policy that made them (profile_changes).",
    """
    SELECT lower(toString(kind)) AS kind, toString(rule) AS rule, count() AS changes, max(occurred_at) AS newest
    FROM profile_changes FINAL WHERE {where} GROUP BY kind, rule ORDER BY changes DESC, kind, rule""",
    (
        Column("rule", "rule", empty="(none)"),
        Column("kind", "what"),
        Column("changes", "changes", "number"),
        Column("newest", "newest", "ago"),
    ),
    ("changes",),
    "signals",
)

PAGE: Final = Page("identity", "Identity", (CHANGES, NEWEST, LARGEST, CONTESTED, RULES))
