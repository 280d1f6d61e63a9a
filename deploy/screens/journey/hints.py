"""What somebody probably wants next: predicted where the journey state has a prediction, else by rule. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from deploy.screens.journey.context import DAY_MS, Context
from schemas.words import several, span

HINTS: Final = 3
#: Age from which an abandoned cart gives no hint.
FRESH_MS: Final = 7 * DAY_MS
_WISHES: Final = {
    "checkout": "finish the checkout",
    "cart": "buy what is in the cart",
    "quote": "an answer to the quote",
    "case": "an answer to the case",
}


@dataclass(frozen=True)
class Hint:
    """What the person may want, and the reason; the probability is None if a rule gave the hint."""

    wish: str
    because: str
    probability: float | None = None


def hints(context: Context) -> list[Hint]:
    """The most likely wants: first by this person's open matters, then by what similar people did next."""
    return [*_by_rule(context), *_predicted(context)][:HINTS]


def _predicted(context: Context) -> list[Hint]:
    """The journey state's own prediction (`likely_next`), if this deployment makes one."""
    return [
        Hint(kind, "what people like them do next", probability)
        for kind, probability in context.facts.state.get("likely_next") or ()
    ]


def _by_rule(context: Context) -> Iterator[Hint]:
    """Precedence: an open case, a recent failure, an open expectation, a missed expectation."""
    facts, now = context.facts, context.now
    for issue in sorted(facts.issues, key=lambda issue: (-issue.last_contact_at, issue.issue_id)):
        asked = several(issue.contacts, "contact")
        yield Hint(f"news about {issue.issue_id}", f"{asked}, last {span(now - issue.last_contact_at)} ago")
    newest = facts.touches[-1] if facts.touches else None
    if newest and context.troubles and context.troubles[0].touch == newest and not newest.issue_id:
        yield Hint(f"help after {newest.type} on {newest.channel}", f"{span(now - newest.at)} ago")
    promises = [p for p in facts.promises if p.kind != "case" and now - p.opened_at <= FRESH_MS]
    for wanted in ("OPEN", "MISSED"):
        for promise in sorted(promises, key=lambda p: (-p.opened_at, p.kind != "checkout")):
            if promise.status == wanted and promise.opened_at > context.ordered_at:
                wish = _WISHES.get(promise.kind, promise.kind)
                left = "begun" if wanted == "OPEN" else "left"
                yield Hint(wish, f"{left} {span(now - promise.opened_at)} ago")
                return
