"""The delivery log's record of one attempt, or of a decision without one."""

from schemas.records import WebhookDelivery, WebhookOutcome
from sinks.webhooks.message import Attempt, Key
from sinks.webhooks.verdicts import Verdict


def delivery_of(
    key: Key,
    attempt: Attempt,
    outcome: WebhookOutcome,
    reason: str,
    verdict: Verdict,
    now: int,
    next_at: int | None,
) -> WebhookDelivery:
    """What became of an attempt that ended at `now`; `next_at`: when the next one is due. UTC ms."""
    person = key.person
    return {
        "tenant": person.tenant,
        "endpoint": person.endpoint,
        "webhook_id": attempt.webhook_id,
        "attempt": attempt.number,
        "outcome": outcome,
        "reason": reason,
        "profile_id": person.profile_id,
        "subject": key.subject,
        "kind": attempt.kind,
        "wanted": attempt.wanted,
        "version": attempt.version,
        "code": verdict.code,
        "answer": verdict.answer,
        "millis": max(now - attempt.began, 0),
        "happened_at": attempt.happened_at,
        "attempted_at": attempt.began,
        "next_at": next_at,
    }
