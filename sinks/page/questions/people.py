"""Lists of people, and the parts of one person's page that are questions to views."""

from typing import Final

from sinks.page.panels import Chart, Column, Page, Panel

#: What `?order=` says → the order of the list.
ORDERS: Final = {
    "newest": "last_seen DESC",
    "waiting": "empty(open_issues.issue_id), arrayMin(open_issues.due_at)",
    "friction": "friction DESC",
    "largest": "length(identifiers) DESC",
}

LIST: Final = Panel(
    "people",
    "People",
    "The first 200 people of the time range, in the order chosen (view journeys).",
    """
    SELECT profile_id, toString(stage) AS stage, last_seen, toString(last_channel) AS last_channel, touchpoints,
        sessions, round(friction, 2) AS friction, length(open_issues.issue_id) AS issues,
        if(issues > 0, arrayMin(open_issues.due_at), NULL) AS due_at, orders, account_id
    FROM journeys WHERE {where} ORDER BY {order}, profile_id LIMIT 200""",
    (
        Column("profile_id", "person", "profile", "/person?id={profile_id}"),
        Column("stage", "stage", link="/people?stage={stage}", empty="none yet"),
        Column("last_seen", "last seen", "ago"),
        Column("last_channel", "on", link="/people?channel={last_channel}"),
        Column("friction", "friction", "decimal"),
        Column("issues", "open issues", "number"),
        Column("due_at", "due", "time"),
        Column("orders", "orders", "number"),
        Column("sessions", "sessions", "number"),
        Column("touchpoints", "touchpoints", "number"),
        Column("account_id", "account", link="/account?id={account_id}"),
    ),
    ("states",),
    "journeys",
    wide=True,
    empty="Nobody in this time range. Choose a longer one, or remove a filter.",
    choices={"order": ORDERS},
)

PAGE: Final = Page("people", "People", (LIST,))

EVIDENCE: Final = Panel(
    "evidence",
    "Why these identifiers are one person",
    "Each link that events gave, with what it did: united two identifiers; refused, because the identity policy does"
    " not let both sides be one person; or contested, because a side was shared by several people by then (views"
    " identity_links_current and identity_current). `touchline explain` names the rule.",
    """
    WITH
        own AS (
            SELECT identifier_type AS type, identifier_value AS value FROM identity_current
            WHERE tenant = %(tenant)s AND profile_id = toUUIDOrZero(%(id)s)
            UNION DISTINCT
            SELECT (arrayJoin(identifiers) AS one).1, one.2 FROM journeys
            WHERE tenant = %(tenant)s AND profile_id = toUUIDOrZero(%(id)s)
        ),
        links AS (
            SELECT left_type, left_value, right_type, right_value, kind, min(occurred_at) AS first_at,
                argMin(source, occurred_at) AS source, count() AS events
            FROM identity_links_current
            WHERE tenant = %(tenant)s AND ((left_type, left_value) IN own OR (right_type, right_value) IN own)
            GROUP BY left_type, left_value, right_type, right_value, kind
            ORDER BY first_at LIMIT 150
        ),
        owners AS (
            SELECT identifier_type AS type, identifier_value AS value, profile_id,
                ifNull(contested_from, toDateTime64('2299-12-31', 3, 'UTC')) AS contested_from
            FROM identity_current
            WHERE tenant = %(tenant)s AND (identifier_type, identifier_value) IN (
                SELECT left_type, left_value FROM links UNION DISTINCT SELECT right_type, right_value FROM links)
        )
    SELECT concat(l.left_type, ':', l.left_value) AS one, concat(l.right_type, ':', l.right_value) AS other,
        multiIf(l.kind = 'OBSERVED' AND a.type != '' AND b.type != ''
                AND least(a.contested_from, b.contested_from) < l.first_at, 'contested',
            a.profile_id = b.profile_id, 'united', 'refused') AS outcome,
        first_at, toString(l.source) AS source, events, lower(toString(kind)) AS kind,
        if((l.left_type, l.left_value) IN own, 'yes', 'no') AS from_own,
        if((l.right_type, l.right_value) IN own, 'yes', 'no') AS to_own,
        nullIf(if(a.profile_id = toUUIDOrZero(%(id)s), b.profile_id, a.profile_id), toUUIDOrZero('')) AS profile_id
    FROM links AS l
    LEFT JOIN owners AS a ON a.type = l.left_type AND a.value = l.left_value
    LEFT JOIN owners AS b ON b.type = l.right_type AND b.value = l.right_value
    ORDER BY first_at, one, other""",
    (
        Column("one", "identifier", "identifier"),
        Column("other", "and", "identifier"),
        Column("outcome", "outcome"),
        Column("first_at", "since", "time"),
        Column("source", "told by"),
        Column("kind", "how"),
        Column("events", "events", "number"),
        Column("profile_id", "other side's person", "profile", "/person?id={profile_id}"),
        Column("from_own", "", hidden=True),
        Column("to_own", "", hidden=True),
    ),
    ("changes", "states"),
    chart=Chart("graph", {"from": "one", "to": "other", "outcome": "outcome"}, 400),
    span2=True,
    empty="One identifier, and no evidence that links it to another.",
    takes=("id",),
)

CHANGES: Final = Panel(
    "changes",
    "Merges and splits",
    "Decisions that made this person what it is: profiles merged into it, and identifiers that left it"
    " (profile_changes).",
    """
    SELECT occurred_at, lower(toString(kind)) AS kind, toString(rule) AS rule, profile_id,
        arrayMap(other -> substring(toString(other), 1, 8), others) AS others
    FROM profile_changes FINAL
    WHERE tenant = %(tenant)s
        AND (profile_id = toUUIDOrZero(%(id)s) OR has(profile_changes.others, toUUIDOrZero(%(id)s)))
    ORDER BY version DESC LIMIT 50""",
    (
        Column("occurred_at", "when", "time"),
        Column("kind", "what"),
        Column("rule", "rule"),
        Column("profile_id", "profile", "profile", "/person?id={profile_id}"),
        Column("others", "others", "list"),
    ),
    ("changes",),
    empty="Never merged or split.",
    takes=("id",),
)

SIGNALS: Final = Panel(
    "person-signals",
    "Signals and their causes",
    "Every signal of this person, also those that were retracted, with the reason, and when it was answered (view"
    " signal_lives).",
    """
    SELECT occurred_at, toString(kind) AS kind, lower(toString(status)) AS status,
        lower(toString(reason)) AS reason, rule, contacted_at, answered_at,
        arrayMap((name, value) -> concat(name, ': ', value), mapKeys(details), mapValues(details)) AS details
    FROM signal_lives(tenant = %(tenant)s, since = '1900-01-01', until = now64(3) + INTERVAL 1 DAY)
    WHERE profile_id = toUUIDOrZero(%(id)s)
    ORDER BY occurred_at DESC, signal_id LIMIT 60""",
    (
        Column("occurred_at", "since", "ago"),
        Column("kind", "signal", link="/signals?kind={kind}"),
        Column("status", "status"),
        Column("reason", "because", empty=""),
        Column("rule", "rule"),
        Column("contacted_at", "we reacted", "time"),
        Column("answered_at", "answered", "time"),
        Column("details", "details", "chips"),
    ),
    ("signals",),
    wide=True,
    empty="No signal was ever raised.",
    takes=("id",),
)

PERSON: Final = Page("person", "Person", (EVIDENCE, CHANGES, SIGNALS), filters=False)
