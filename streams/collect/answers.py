"""What clients are told: JSON, and the headers that let web pages read it."""

import logging
from collections.abc import Callable, Sequence
from typing import Final

from aiohttp import web

from schemas.errors import ContractError
from schemas.http.answers import Handler, Refusals, json_answer

#: One item of a request, in order: its event id if it has one, and why it was refused, or None.
Result = tuple[str | None, ContractError | None]
Answer = Callable[[Sequence[Result]], web.Response]

log: Final = logging.getLogger("touchline.collector")

#: Request headers that web pages may send.
ALLOWED_HEADERS: Final = (
    "Authorization, Content-Type, Content-Encoding, X-Write-Key, X-Retry-Count, AnonymousId, SP-Anonymous,"
    " Traceparent"
)


#: A GIF of one transparent pixel.
PIXEL: Final = (
    b"GIF89a\x01\x00\x01\x00\x80\x00\x00\xff\xff\xff\x00\x00\x00!\xf9\x04\x01\x00\x00\x00\x00"
    b",\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;"
)


_REFUSALS: Final = Refusals(
    log,
    challenge='Basic realm="write key"',
    no_path="there is nothing at this path: touchpoints go to /v1/touchpoints, all paths are in /openapi.json",
    bug="the collector failed: nothing is confirmed, send it again",
)


def plain_answer(results: Sequence[Result]) -> web.Response:
    """Every item's result: 200 if all were taken, 422 if none was, else 207."""
    refused = sum(error is not None for _, error in results)
    status = 200 if not refused else 422 if refused == len(results) else 207
    entries = [
        {"event_id": event_id, "status": "accepted"}
        if error is None
        else {"event_id": event_id, "status": "rejected", "reason": error.reason.value, "error": str(error)}
        for event_id, error in results
    ]
    return json_answer({"accepted": len(results) - refused, "rejected": refused, "results": entries}, status)


def segment_answer(results: Sequence[Result]) -> web.Response:
    """Segment's 200, which its clients take for all; how many became dead letters stands beside it."""
    refused = sum(error is not None for _, error in results)
    return json_answer({"success": True, **({"dead_letters": refused} if refused else {})})


def posthog_answer(results: Sequence[Result]) -> web.Response:
    """PostHog's 200; how many became dead letters stands beside it."""
    refused = sum(error is not None for _, error in results)
    return json_answer({"status": 1, **({"dead_letters": refused} if refused else {})})


def snowplow_answer(_: Sequence[Result]) -> web.Response:
    """Snowplow's 200 to a POST."""
    return web.Response(text="ok")


def pixel_answer(_: Sequence[Result]) -> web.Response:
    """A transparent pixel: what asks with GET may be an image of a page or a mail."""
    return web.Response(body=PIXEL, content_type="image/gif", headers={"Cache-Control": "no-store"})


def allow_origin(response: web.StreamResponse, origin: str) -> None:
    """Let a page of `origin` read the answer. A write key is no cookie: that an origin may ask gives it nothing."""
    response.headers["Access-Control-Allow-Origin"] = origin
    response.headers["Access-Control-Allow-Credentials"] = "true"  # Snowplow's tracker asks with credentials
    response.headers["Vary"] = "Origin"


def preflight(origin: str) -> web.Response:
    """The answer to a browser that asks whether a page may send."""
    response = web.Response(status=204)
    allow_origin(response, origin)
    response.headers["Access-Control-Allow-Methods"] = "POST, GET, OPTIONS"
    response.headers["Access-Control-Allow-Headers"] = ALLOWED_HEADERS
    response.headers["Access-Control-Max-Age"] = "7200"
    return response


@web.middleware
async def answered(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Every answer is JSON that a web page may read, whatever went wrong."""
    origin = request.headers.get("Origin")
    if request.method == "OPTIONS":
        return preflight(origin or "*")
    response = await _REFUSALS.answered(request, handler)
    if origin is not None:
        allow_origin(response, origin)
    return response
