"""Why a request as a whole is refused: what becomes an RFC 9457 problem document."""

from http import HTTPStatus
from typing import Any, Final

#: Seconds after which a client may try again, where nothing better is known.
RETRY_SECONDS: Final = 2


class ProblemError(Exception):
    """A request is refused; nothing of it was sent unless the text says so."""

    def __init__(self, status: int, code: str, detail: str, retry_after: int | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code  #: a closed list: docs/collector.md and docs/subscribers.md, "Answers"
        self.detail = detail
        self.retry_after = retry_after  #: seconds

    def document(self) -> dict[str, Any]:
        """The problem document. `code` and `message` repeat it for SDKs that look for them there."""
        return {
            "type": "about:blank",
            "title": TITLES.get(self.status) or HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
            "code": self.code,
            "message": self.detail,
        }


#: Where RFC 9110 has newer phrases than Python, and the usual ones.
TITLES: Final = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    406: "Not Acceptable",
    408: "Request Timeout",
    409: "Conflict",
    410: "Gone",
    413: "Content Too Large",
    414: "URI Too Long",
    415: "Unsupported Media Type",
    421: "Misdirected Request",
    422: "Unprocessable Content",
    429: "Too Many Requests",
    431: "Request Header Fields Too Large",
    500: "Internal Server Error",
    503: "Service Unavailable",
}
