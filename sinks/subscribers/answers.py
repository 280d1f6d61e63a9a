"""What clients are told: JSON with a validator, and one sentence about whatever goes wrong."""

import logging
from typing import Any, Final

from aiohttp import web

from schemas.http import answers
from schemas.http.answers import Handler, Refusals
from schemas.http.json_bytes import json_bytes
from sinks.subscribers.people import Found

#: Personal data: only the client itself may keep an answer, and must ask whether it still holds.
_REVALIDATED: Final = "private, no-cache"
_NOT_KEPT: Final = {"Cache-Control": "no-store"}

log: Final = logging.getLogger("touchline.subscribers")

_REFUSALS: Final = Refusals(
    log,
    challenge='Bearer realm="touchline"',
    no_path="there is nothing at this path: all paths are in /openapi.json",
    bug="the service failed on a bug; its log says more",
    headers=_NOT_KEPT,
)


def json_answer(value: Any, status: int = 200) -> web.Response:
    """A JSON document that nobody keeps."""
    return answers.json_answer(value, status, headers=_NOT_KEPT)


def found_answer(request: web.Request, found: Found, fields: frozenset[str]) -> web.Response:
    """A state; 304 if the client has it."""
    headers = {
        "ETag": found.etag, "Cache-Control": _REVALIDATED, "Vary": "Authorization", "X-Content-Type-Options": "nosniff",
    }  # fmt: skip
    known = request.headers.get("If-None-Match")
    if known is not None and (known.strip() == "*" or found.etag in map(_strong, known.split(","))):
        return web.Response(status=304, headers=headers)
    body = json_bytes(found.document(fields))
    return web.Response(body=body, content_type="application/json", headers=headers)


@web.middleware
async def answered(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Every answer is JSON, whatever went wrong."""
    return await _REFUSALS.answered(request, handler)


def _strong(tag: str) -> str:
    """A validator of If-None-Match, which compares weakly."""
    return tag.strip().removeprefix("W/")
