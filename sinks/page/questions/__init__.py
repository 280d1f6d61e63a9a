"""The panels of each page: which view answers, and how the answer is drawn."""

from typing import Final

from sinks.page.panels import Page, Panel
from sinks.page.questions import accounts, behaviour, health, identity, overview, people, service, signals

#: Pages in the order of the navigation, by their address below the tenant.
NAVIGATION: Final[dict[str, Page]] = {
    "": overview.PAGE,
    "people": people.PAGE,
    "behaviour": behaviour.PAGE,
    "service": service.PAGE,
    "accounts": accounts.PAGE,
    "identity": identity.PAGE,
    "signals": signals.PAGE,
    "health": health.PAGE,
}
#: Pages about one thing, which `?id=` names.
DETAILS: Final[dict[str, Page]] = {"account": accounts.ACCOUNT}
PANELS: Final[dict[str, Panel]] = {
    panel.name: panel
    for page in (*NAVIGATION.values(), *DETAILS.values(), people.PERSON)
    for panel in page.panels
} | {health.LINE.name: health.LINE}
