"""What clients are told: JSON with a validator, and one sentence about whatever goes wrong."""

import logging
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any, Final

from aiohttp import web

from schemas.errors import SettingsError, TouchlineError
from schemas.http.problems import RETRY_SECONDS, TITLES, ProblemError
from sinks.subscribers.events import dumps
from sinks.subscribers.people import Found

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

#: Personal data: only the client itself may keep an answer, and must ask whether it still holds.
_REVALIDATED: Final = "private, no-cache"
_NOT_KEPT: Final = "no-store"

log: Final = logging.getLogger("touchline.subscribers")


def json_answer(value: Any, status: int = 200, media_type: str = "application/json") -> web.Response:
    """A JSON document that nobody keeps."""
    body = dumps(value).encode("utf-8", "backslashreplace")
    return web.Response(
        body=body, status=status, content_type=media_type, headers={"Cache-Control": _NOT_KEPT}
    )


def found_answer(request: web.Request, found: Found, fields: frozenset[str]) -> web.Response:
    """A state; 304 if the client has it."""
    headers = {"ETag": found.etag, "Cache-Control": _REVALIDATED, "X-Content-Type-Options": "nosniff"}
    known = request.headers.get("If-None-Match")
    if known is not None and (known.strip() == "*" or found.etag in map(_strong, known.split(","))):
        return web.Response(status=304, headers=headers)
    body = dumps(found.document(fields)).encode("utf-8", "backslashreplace")
    return web.Response(body=body, content_type="application/json", headers=headers)


def problem_answer(problem: ProblemError) -> web.Response:
    """A problem document (RFC 9457)."""
    response = json_answer(problem.document(), problem.status, "application/problem+json")
    if problem.retry_after is not None:
        response.headers["Retry-After"] = str(problem.retry_after)
    if problem.status == 401:
        response.headers["WWW-Authenticate"] = 'Bearer realm="touchline"'
    return response


@web.middleware
async def answered(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Every answer is JSON, whatever went wrong."""
    try:
        return await handler(request)
    except ProblemError as problem:
        return problem_answer(problem)
    except web.HTTPException as error:
        known = {
            404: "there is nothing at this path: all paths are in /openapi.json",
            405: "this path takes another method: the header Allow names it",
        }
        answer = problem_answer(_problem(error.status, known.get(error.status, error.reason)))
        if "Allow" in error.headers:
            answer.headers["Allow"] = error.headers["Allow"]
        return answer
    except SettingsError as error:
        log.error("a request failed: %s", error)  # noqa: TRY400 (the sentence says all)
        return problem_answer(
            ProblemError(500, "settings", "the service is set up wrongly; its log says more")
        )
    except TouchlineError as error:
        return problem_answer(ProblemError(503, "unavailable", str(error), RETRY_SECONDS))
    except ConnectionError:
        raise  # the client has gone
    except Exception:
        log.exception("a request failed on what looks like a bug")
        return problem_answer(ProblemError(500, "bug", "the service failed on a bug; its log says more"))


def _problem(status: int, detail: str) -> ProblemError:
    TITLES.setdefault(status, HTTPStatus(status).phrase)
    return ProblemError(status, "http", detail)


def _strong(tag: str) -> str:
    """A validator of If-None-Match, which compares weakly."""
    return tag.strip().removeprefix("W/")
