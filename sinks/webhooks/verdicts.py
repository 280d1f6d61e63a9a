"""What an answer of a receiver means: a closed list of reasons, and what follows from each."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Reason(StrEnum):
    """Why a message was not delivered. docs/webhooks.md explains each."""

    HTTP_3XX = "HTTP_3XX"
    HTTP_4XX = "HTTP_4XX"
    HTTP_5XX = "HTTP_5XX"
    BUSY = "BUSY"  #: 408 or 429, or a mail server's 4xx
    GONE = "GONE"
    TIMEOUT = "TIMEOUT"
    UNREACHABLE = "UNREACHABLE"
    ADDRESS = "ADDRESS"
    TEMPLATE = "TEMPLATE"
    UNEXPECTED = "UNEXPECTED"
    EXPIRED = "EXPIRED"
    CONSENT = "CONSENT"
    CAP = "CAP"
    NO_STATE = "NO_STATE"


#: An attempt that ended so may have had its effect all the same: the answer was lost, or came after the effect.
UNSURE: Final = frozenset({Reason.HTTP_5XX, Reason.TIMEOUT, Reason.UNREACHABLE, Reason.UNEXPECTED})
#: Another attempt would end the same way.
FINAL: Final = frozenset({Reason.HTTP_4XX, Reason.GONE, Reason.TEMPLATE})


@dataclass(frozen=True)
class Verdict:
    """How an attempt ended. `reason` is None if the receiver confirmed."""

    reason: Reason | None
    code: int | None = None
    answer: str = ""
    retry_after_ms: int | None = None  #: as the receiver asks
    sent: bool = True  #: whether anything may have reached the receiver

    @property
    def confirmed(self) -> bool:
        """Whether the receiver has it."""
        return self.reason is None

    @property
    def unsure(self) -> bool:
        """Whether the receiver may have it."""
        return self.sent and self.reason in UNSURE

    @property
    def final(self) -> bool:
        """Whether no further attempt helps."""
        return self.reason in FINAL


def of_http(status: int, answer: str = "", retry_after_ms: int | None = None) -> Verdict:
    """The verdict of an HTTP status. 2xx confirms; only 4xx other than 408 and 429 is final."""
    if 200 <= status < 300:
        return Verdict(None, status, answer)
    if status == 410:
        reason = Reason.GONE
    elif status in (408, 429):
        reason = Reason.BUSY
    elif 300 <= status < 400:
        reason = Reason.HTTP_3XX
    elif 400 <= status < 500:
        reason = Reason.HTTP_4XX
    else:
        reason = Reason.HTTP_5XX
    return Verdict(reason, status, answer, retry_after_ms)


def of_mail(code: int, answer: str) -> Verdict:
    """The verdict of a mail server's reply to a refused mail: 5xx is final, anything else is not."""
    return Verdict(Reason.HTTP_4XX if code >= 500 else Reason.BUSY, code, answer)
