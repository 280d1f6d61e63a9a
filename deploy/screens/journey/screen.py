"""The screen of one person: profile, stage, hints, open matters, friction, recent touchpoints, timeline."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from deploy.screens.journey.context import Context, Stretch, runs
from deploy.screens.journey.hints import Hint
from deploy.screens.journey.lanes import Signs, picture
from schemas.catalogue import Catalogue
from schemas.words import clock, day, listed, money, several, span, when

_CONSENT: Final = {"GRANTED": "green", "DENIED": "red", "REVOKED": "red"}
_LEFT: Final = {"OPEN": "open", "MISSED": "left"}
#: Characters of a pseudonym that the screen shows; --json has all.
PSEUDONYM: Final = 8
MAX_SIGNALS: Final = 5
#: Signals that the section `signals` omits: other sections show them, or they do not help on the phone. --json has all.
_TOLD_ELSEWHERE: Final = frozenset(
    ("stage_entered", "issue_overdue", "abandoned_cart", "abandoned_checkout", "profile_merged")
)


def screen(
    context: Context, hints: Iterable[Hint], catalogue: Catalogue, width: int, signs: Signs
) -> RenderableType:
    """Everything about one person, `width` columns wide."""
    body = Table.grid(padding=(0, 2, 0, 0))
    body.add_column(style="bold", no_wrap=True)
    body.add_column(overflow="fold")
    for label, lines in _sections(context, list(hints), catalogue):
        for number, line in enumerate(lines):
            body.add_row(label if not number else "", line)
    drawn = picture(context.facts.touches, catalogue, width, signs)
    return Group(_title(context, width), body, Padding(Group(*drawn), (1, 0, 0, 0), expand=False))


def _title(context: Context, width: int) -> Text:
    """Who was asked for, and at the right, if there is room, the profile."""
    facts = context.facts
    title = Text(facts.asked, style="bold")
    room = width - len(facts.asked) - len(facts.profile_id)
    if room >= 2 and facts.profile_id not in facts.asked:
        title.append(" " * room + facts.profile_id, style="dim not bold")
    return title


def _sections(context: Context, hints: list[Hint], catalogue: Catalogue) -> Iterator[tuple[str, list[Text]]]:
    state = context.facts.state
    yield "who", list(_who(context))
    yield "where", list(_where(context))
    if hints:
        yield "wants", [_hint(hint) for hint in hints]
    yield "issues", list(_issues(context)) or [Text("none open")]
    yield "wrong", list(_wrong(context)) or [Text("nothing noted")]
    if context.tried:
        yield "tried", list(_tried(context, catalogue))
    if signals := list(_signals(context)):
        yield "signals", signals
    if promises := list(_promises(context)):
        yield "cart", promises
    yield "consent", [_consent(state["consent"])]
    yield "channel", [_channel(context)]
    yield "value", [_value(state)]
    if context.facts.account is not None:
        yield "account", list(_account(context.facts.account, context.now))


def _who(context: Context) -> Iterator[Text]:
    facts = context.facts
    by_type: dict[str, list[str]] = {}
    for kind, value in facts.state["identifiers"]:
        by_type.setdefault(kind, []).append(_short(value))
    yield Text("  ").join(
        # held together by no-break spaces
        Text(
            f"{kind}\N{NO-BREAK SPACE}{values[0]}"
            + (f"\N{NO-BREAK SPACE}+{len(values) - 1}" if values[1:] else "")
        )
        for kind, values in by_type.items()
    )
    if facts.shared_from is not None:
        since = when(facts.shared_from, context.now)
        yield Text(
            f"shared by several people since {since}: this is what happened on it since", style="yellow"
        )


def _short(value: str) -> str:
    return value.split(":")[-1][:PSEUDONYM] + "…" if value.startswith("hmac:") else value


def _where(context: Context) -> Iterator[Text]:
    state, now = context.facts.state, context.now
    since = f"since {when(state['stage_since'], now)} ({span(now - state['stage_since'])})"
    stage = Text(state["stage"] or "no stage", style="bold").append(f" {since}", style="not bold")
    stage.append(
        f", {several(state['touchpoints'], 'touchpoint')} in {several(state['sessions'], 'session')}"
    )
    yield stage
    if context.here_now:
        here = Text("here now", style="bold green")
        here.append(
            f" on {state['last_channel']}, for {span(now - state['session_started_at'])}",
            style="not bold default",
        )
        yield here.append(f", {several(state['session_touchpoints'], 'touchpoint')} so far")
    else:
        yield Text(f"last seen {when(state['last_seen'], now)} ({span(now - state['last_seen'])} ago)")


def _hint(hint: Hint) -> Text:
    text = Text(hint.wish)
    if hint.probability is not None:
        text.append(f"  {hint.probability:.0%}")
    return text.append(f"  {hint.because}", style="dim")


def _issues(context: Context) -> Iterator[Text]:
    for issue in context.facts.issues:
        text = Text(issue.issue_id, style="bold")
        if issue in context.overdue:
            text.append(" overdue,", style="red")
        text.append(f" open {span(context.now - issue.opened_at)}", style="not bold")
        text.append(f", {several(issue.contacts, 'contact')}", style="not bold")
        if issue.channels:
            text.append(f" by {listed(issue.channels)}", style="not bold")
        if issue.contacts:
            text.append(f", last {span(context.now - issue.last_contact_at)} ago", style="not bold")
        yield text


def _wrong(context: Context) -> Iterator[Text]:
    state, now = context.facts.state, context.now
    figures = []
    if state["friction"] >= 0.05:
        figures.append(f"friction {state['friction']:.1f} when last seen")
    if state.get("effort"):
        figures.append(f"effort {state['effort']:.0f} of 100")
    if state["ouch_moments"] or state["wow_moments"]:
        figures.append(f"{several(state['ouch_moments'], 'ouch moment')}, {state['wow_moments']} wow")
    if state["handoffs"]:
        figures.append(f"{several(state['handoffs'], 'handoff')} from machine to person")
    if state["sentiment"] is not None:
        figures.append(f"sentiment {state['sentiment']:+.2f}")
    figures += [
        f"{name.upper()} {state[name]:g}" for name in ("nps", "csat", "ces") if state[name] is not None
    ]
    if figures:
        yield Text(", ".join(figures))
    for trouble in context.troubles:
        text = Text(f"{when(trouble.touch.at, now):<12}", style="dim")
        text.append(f"  {trouble.touch.type}", style="red").append(f" on {trouble.touch.channel}")
        text.append(f"  {'ouch, ' if trouble.ouch else ''}friction {trouble.friction:g}", style="dim")
        yield text


def _tried(context: Context, catalogue: Catalogue) -> Iterator[Text]:
    width = max(len(stretch.channel) for stretch in context.tried)
    if context.tried_before:
        yield Text(f"{several(context.tried_before, 'touchpoint')} earlier that day", style="dim")
    before = ""
    for stretch in context.tried:
        date = day(stretch.started_at)
        start = f"{date if date != before else '':<6} {clock(stretch.started_at)}"
        before = date
        yield (
            Text(f"{start}  ", style="dim")
            .append(f"{stretch.channel:<{width}}  ", style="default")
            .append(_steps(stretch, catalogue))
        )


def _steps(stretch: Stretch, catalogue: Catalogue) -> Text:
    text = Text()
    for number, (kind, count) in enumerate(runs(stretch.touches)):
        meaning = catalogue.type(kind)
        text.append(" → " if number else "", style="dim")
        style = "red" if meaning.friction else ("dim" if meaning.direction != "inbound" else "")
        text.append(kind + (f" x{count}" if count > 1 else ""), style=style)
    return text


def _signals(context: Context) -> Iterator[Text]:
    for signal in [s for s in context.facts.signals if s.kind not in _TOLD_ELSEWHERE][:MAX_SIGNALS]:
        details = ", ".join(f"{name} {value}" for name, value in signal.details.items())
        text = Text(signal.kind, style="yellow").append(
            f"  {span(context.now - signal.occurred_at)} ago", style="dim"
        )
        yield text.append(f"  {details}", style="dim") if details else text


def _promises(context: Context) -> Iterator[Text]:
    for promise in sorted(context.facts.promises, key=lambda p: -p.opened_at):
        if promise.status in _LEFT and promise.kind != "case" and promise.opened_at > context.ordered_at:
            status = _LEFT[promise.status]
            late = promise.status == "OPEN" and promise.due_at < context.now
            word = "left" if late else status
            yield Text(f"{promise.kind} {word}").append(
                f"  {when(promise.opened_at, context.now)} ({span(context.now - promise.opened_at)} ago)",
                style="dim",
            )
            return


def _consent(consent: Mapping[str, str]) -> Text:
    text = Text()
    for purpose, decision in sorted(consent.items()):
        text.append(("" if not text.plain else ", ") + f"{purpose} ").append(
            decision.lower(), style=_CONSENT[decision]
        )
    return text if text.plain else Text("never asked", style="dim")


def _channel(context: Context) -> Text:
    state = context.facts.state
    text = Text("")
    if context.best_channel:
        text.append("best ").append(context.best_channel, style="bold").append(
            f" ({context.best_because}), ", style="dim"
        )
    return text.append(
        f"last {state['last_channel'] or 'none'}, {several(state['channel_switches'], 'switch', 'switches')}"
    )


def _value(state: Mapping[str, Any]) -> Text:
    text = Text(several(state["orders"], "order"))
    amounts = [money(total, currency) for currency, total in sorted(state["revenue"].items())]
    return text.append(f", {listed(amounts)}") if amounts else text


def _account(account: Mapping[str, Any], now: int) -> Iterator[Text]:
    stages = ", ".join(f"{count} {stage or 'no stage'}" for stage, count in sorted(account["stages"].items()))
    yield Text(account["account_id"], style="bold").append(
        f" {several(account['members'], 'member')} ({stages}), {several(account['open_issues'], 'open issue')}",
        style="not bold",
    )
    amounts = [money(total, currency) for currency, total in sorted(account["revenue"].items())]
    value = f"{several(account['orders'], 'order')}" + (f", {listed(amounts)}" if amounts else "")
    yield Text(
        f"{value}; last {account['last_type']} on {account['last_channel']} {span(now - account['last_at'])} ago"
    )
