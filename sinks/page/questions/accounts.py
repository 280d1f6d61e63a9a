"""Business accounts: the list, and one account with its members."""

from typing import Final

from sinks.page.panels import Chart, Column, Page, Panel

LIST: Final = Panel(
    "accounts",
    "Accounts",
    "Business accounts, each the sum of its members' journeys; the newest 200 (view accounts).",
    """
    SELECT account_id, members, open_issues, friction_max, orders, last_at, toString(last_type) AS last_type,
        toString(last_channel) AS last_channel
    FROM accounts WHERE {where} ORDER BY last_at DESC, account_id LIMIT 200""",
    (
        Column("account_id", "account", link="/account?id={account_id}"),
        Column("members", "members", "number"),
        Column("open_issues", "open issues", "number"),
        Column("friction_max", "worst friction", "decimal"),
        Column("orders", "orders", "number"),
        Column("last_at", "last seen", "ago"),
        Column("last_type", "did"),
        Column("last_channel", "on"),
    ),
    ("accounts",),
    "accounts",
    wide=True,
    empty="No account in this time range: touchpoints name one by account_id.",
)

PAGE: Final = Page("accounts", "Accounts", (LIST,))

FACTS: Final = Panel(
    "account-facts",
    "Now",
    "The sum over the account's members (view accounts).",
    """
    SELECT members, open_issues, issues_solved, orders, touchpoints, friction_mean, friction_max, sentiment, last_at
    FROM accounts WHERE tenant = %(tenant)s AND account_id = %(id)s""",
    (
        Column("members", "members", "number"),
        Column("open_issues", "open issues", "number"),
        Column("issues_solved", "solved", "number"),
        Column("orders", "orders", "number"),
        Column("touchpoints", "touchpoints", "number"),
        Column("friction_mean", "mean friction", "decimal"),
        Column("friction_max", "worst friction", "decimal"),
        Column("sentiment", "sentiment", "decimal"),
    ),
    ("accounts",),
    shape="tiles",
    wide=True,
    empty="No account of this name.",
    takes=("id",),
)

MONEY: Final = Panel(
    "account-money",
    "Revenue",
    "Orders less refunds by currency (view accounts).",
    """
    SELECT toString(name) AS currency, minor AS revenue FROM accounts
    ARRAY JOIN mapKeys(accounts.revenue) AS name, mapValues(accounts.revenue) AS minor
    WHERE tenant = %(tenant)s AND account_id = %(id)s ORDER BY currency""",
    (Column("currency", "currency"), Column("revenue", "revenue", "money")),
    ("accounts",),
    empty="No revenue yet.",
    takes=("id",),
)

STAGES: Final = Panel(
    "account-stages",
    "Members per stage",
    "Members by the lifecycle stage that they are in (view accounts).",
    """
    SELECT toString(name) AS stage, count AS members FROM accounts
    ARRAY JOIN mapKeys(accounts.stages) AS name, mapValues(accounts.stages) AS count
    WHERE tenant = %(tenant)s AND account_id = %(id)s ORDER BY members DESC, stage""",
    (Column("stage", "stage", empty="none yet"), Column("members", "members", "number")),
    ("accounts",),
    chart=Chart("bar", {"label": "stage", "value": "members"}, 180),
    takes=("id",),
)

ISSUES: Final = Panel(
    "account-issues",
    "Open issues",
    "The 50 cases of the account's members that are open longest (view accounts).",
    """
    SELECT issue.1 AS issue_id, issue.2 AS opened_at, issue.3 AS last_contact_at, issue.4 AS contacts,
        issue.5 AS channels, issue.6[1] AS profile_id
    FROM (SELECT arrayJoin(oldest_issues) AS issue FROM accounts WHERE tenant = %(tenant)s AND account_id = %(id)s)
    ORDER BY opened_at, issue_id""",
    (
        Column("issue_id", "issue", "code"),
        Column("opened_at", "open since", "ago"),
        Column("last_contact_at", "last contact", "ago"),
        Column("contacts", "contacts", "number"),
        Column("channels", "by", "list"),
        Column("profile_id", "person", "profile", "/person?id={profile_id}"),
    ),
    ("accounts",),
    empty="No open issue.",
    takes=("id",),
)

MEMBERS: Final = Panel(
    "account-members",
    "Members",
    "People whose newest account this is, newest first (view journeys).",
    """
    SELECT profile_id, toString(stage) AS stage, last_seen, toString(last_channel) AS last_channel, friction, orders,
        length(open_issues.issue_id) AS issues
    FROM journeys WHERE tenant = %(tenant)s AND account_id = %(id)s ORDER BY last_seen DESC, profile_id LIMIT 100""",
    (
        Column("profile_id", "person", "profile", "/person?id={profile_id}"),
        Column("stage", "stage", empty="none yet"),
        Column("last_seen", "last seen", "ago"),
        Column("last_channel", "on"),
        Column("friction", "friction", "decimal"),
        Column("issues", "open issues", "number"),
        Column("orders", "orders", "number"),
    ),
    ("accounts", "states"),
    wide=True,
    takes=("id",),
)

ACCOUNT: Final = Page("account", "Account", (FACTS, MONEY, STAGES, ISSUES, MEMBERS), filters=False)
