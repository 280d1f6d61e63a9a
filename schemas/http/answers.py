"""What the HTTP services answer with: JSON, and one problem document about whatever goes wrong (RFC 9457)."""

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from schemas.errors import SettingsError, TouchlineError
from schemas.http.json_bytes import json_bytes
from schemas.http.problems import RETRY_SECONDS, ProblemError

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def json_answer(
    value: Any,
    status: int = 200,
    media_type: str = "application/json",
    headers: Mapping[str, str] | None = None,
) -> web.Response:
    """A JSON document."""
    return web.Response(body=json_bytes(value), status=status, content_type=media_type, headers=headers)


@dataclass(frozen=True)
class Refusals:
    """How one service words what goes wrong in its handlers."""

    log: logging.Logger
    challenge: str  #: WWW-Authenticate of a 401
    no_path: str  #: the sentence of a 404 for a path that there is not
    bug: str  #: the sentence of a 500
    headers: Mapping[str, str] | None = None  #: of every refusal

    async def answered(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """What a handler answers, or the problem document of what it raised. A client that has gone gets none."""
        try:
            return await handler(request)
        except ConnectionError:
            raise
        except Exception as error:  # noqa: BLE001 (`_problem` logs what nobody raised on purpose)
            return self._answer(error)

    def _answer(self, error: Exception) -> web.Response:
        problem = self._problem(error)
        answer = json_answer(problem.document(), problem.status, "application/problem+json", self.headers)
        if problem.retry_after is not None:
            answer.headers["Retry-After"] = str(problem.retry_after)
        if problem.status == 401:
            answer.headers["WWW-Authenticate"] = self.challenge
        if isinstance(error, web.HTTPException) and "Allow" in error.headers:
            answer.headers["Allow"] = error.headers["Allow"]
        return answer

    def _problem(self, error: Exception) -> ProblemError:
        match error:
            case ProblemError():
                return error
            case web.HTTPException():
                known = {404: self.no_path, 405: "this path takes another method: the header Allow names it"}
                return ProblemError(error.status, "http", known.get(error.status, error.reason))
            case SettingsError():
                self.log.error("a request failed: %s", error)
                return ProblemError(500, "settings", "the service is set up wrongly; its log says more")
            case TouchlineError():
                return ProblemError(503, "unavailable", str(error), RETRY_SECONDS)
            case _:
                self.log.error("a request failed on what looks like a bug", exc_info=error)
                return ProblemError(500, "bug", self.bug)
