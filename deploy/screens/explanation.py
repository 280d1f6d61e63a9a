"""Renders an explanation as sentences and as JSON."""

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from streams.identity.explain import Explanation, Proof, Refusal, Side
from streams.identity.resolution.clusters import COMPONENT_SIZE
from streams.identity.resolution.corrections import UNLINKED
from streams.identity.resolution.evidence import Node

_SHOWN: Final = 5  # values of one refusal; JSON has all


def told(answer: Explanation, asked: Mapping[Node, str]) -> Iterator[str]:
    """The explanation as lines of text. `asked`: the two identifiers as the user wrote them."""

    def called(node: Node) -> str:
        return asked.get(node) or plain(node)

    yield _verdict(answer, called(answer.one.node), called(answer.other.node))
    for side in (answer.one, answer.other):
        yield from _whose(side, called)
    if not answer.steps:
        return
    yield ""
    yield "the evidence:" if not answer.refusals else "the evidence that would connect them:"
    for number, step in enumerate(answer.steps, start=1):
        left, right = called(step.proof.left), called(step.proof.right)
        yield f"{number:3}. {left} {'=' if step.refusal is None else '≠'} {right}"
        yield f"     {_shown_by(step.proof)}"
        if step.refusal is not None:
            yield f"     refused: {_because(step.refusal, called)}"


def _verdict(answer: Explanation, one: str, other: str) -> str:
    asof = "" if answer.at is None else f", by the evidence up to {_iso(answer.at)}"
    if answer.same and answer.since is not None:
        return f"{one} and {other} are one person, known since {_iso(answer.since)}{asof}"
    if answer.since is not None and answer.until is not None:
        return (
            f"{one} and {other} were one person, known since {_iso(answer.since)},"
            f" until {_iso(answer.until)}{asof}"
        )
    if answer.since is not None and answer.before is not None:
        return (
            f"{one} and {other} are not one person{asof}, but what happened before {_iso(answer.before)} is one"
            f" person's, known since {_iso(answer.since)}"
        )
    why = "" if answer.steps else ": no evidence connects them"
    return f"{one} and {other} are not one person{asof}{why}"


def _whose(side: Side, called: Callable[[Node], str]) -> Iterator[str]:
    if not side.linked:
        yield f"  {called(side.node)}: profile {side.owner}; nothing links it to anything"
    elif side.contested_by is None or side.contested_from is None:
        yield f"  {called(side.node)}: profile {side.owner}"
    else:
        by = side.contested_by
        yield (
            f"  {called(side.node)}: shared from {_iso(side.contested_from)} on"
            f" (event {by.event_id} from {by.source}: {called(by.left)} ≠ {called(by.right)})"
        )
        yield f"    before that profile {side.profile_id}, from then on profile {side.owner}, nobody else's"


def _shown_by(proof: Proof) -> str:
    verb = "asserted" if proof.asserted else "observed"
    return f"{verb} {_iso(proof.occurred_at)} by event {proof.event_id} from {proof.source}"


def _because(refusal: Refusal, called: Callable[[Node], str]) -> str:
    rule = refusal.rule.partition(":")[0]
    values = ", ".join(called(node) for node in refusal.values[:_SHOWN])
    if len(refusal.values) > _SHOWN:
        values += f" and {len(refusal.values) - _SHOWN} more"
    if rule == "unique":
        return f"{refusal.rule}, a profile holds one at most, and this would bring together {values}"
    if rule == "limit":
        return f"{refusal.rule}, a profile would hold {len(refusal.values)} values: {values}"
    if rule == "closed":
        since = _iso(refusal.shared_since or 0)
        return f"{refusal.rule}, limits had refused so many of these at {values} that it takes no more (since {since})"
    if rule == "quarantined":
        since = _iso(refusal.shared_since or 0)
        said = f"quarantined, limits had refused so many links at the profile of {values}"
        return f"{said} that it takes no more (since {since})"
    if rule == COMPONENT_SIZE:
        return "component_size, links would unite more identifiers than the policy allows, so each stands for itself"
    if rule == UNLINKED:
        return "unlink, the link was withdrawn"
    return (
        f"contested, {values} was shared by then (since {_iso(refusal.shared_since or 0)}) and links nothing"
    )


def document(answer: Explanation, asked: Mapping[Node, str]) -> dict[str, Any]:
    """The explanation for JSON; identifiers as they are stored."""
    return {
        "tenant": answer.tenant,
        "at": _iso_or_none(answer.at),
        "same": answer.same,
        "since": _iso_or_none(answer.since),
        "until": _iso_or_none(answer.until),
        "before": _iso_or_none(answer.before),
        "one": _side_document(answer.one, asked),
        "other": _side_document(answer.other, asked),
        "steps": [
            {
                **_proof_document(step.proof),
                "accepted": step.refusal is None,
                "rule": step.refusal.rule if step.refusal else None,
                "values": [plain(node) for node in step.refusal.values] if step.refusal else [],
                "shared_since": _iso_or_none(step.refusal.shared_since) if step.refusal else None,
            }
            for step in answer.steps
        ],
    }


def _side_document(side: Side, asked: Mapping[Node, str]) -> dict[str, Any]:
    return {
        "asked": asked[side.node],
        "identifier": plain(side.node),
        "linked": side.linked,
        "owner": side.owner,
        "profile_id": side.profile_id,
        "contested_from": _iso_or_none(side.contested_from),
        "contested_by": None if side.contested_by is None else _proof_document(side.contested_by),
    }


def _proof_document(proof: Proof) -> dict[str, Any]:
    return {
        "left": plain(proof.left),
        "right": plain(proof.right),
        "occurred_at": _iso(proof.occurred_at),
        "kind": "ASSERTED" if proof.asserted else "OBSERVED",
        "event_id": proof.event_id,
        "source": proof.source,
    }


def plain(node: Node) -> str:
    """An identifier as type:value."""
    return ":".join(node)


def _iso(ms: int) -> str:
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _iso_or_none(ms: int | None) -> str | None:
    return None if ms is None else _iso(ms)
