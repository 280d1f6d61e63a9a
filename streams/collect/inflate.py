"""A request's body as JSON: inflated and parsed within limits, whatever the bytes are."""

import json
import zlib
from typing import Any, Final, NoReturn

from schemas.http.problems import ProblemError

_GZIP: Final = 16 + zlib.MAX_WBITS
_ZLIB: Final = zlib.MAX_WBITS


def inflate(body: bytes, encoding: str, limit: int) -> bytes:
    """The body without its Content-Encoding, at most `limit` bytes. Raises ProblemError 400, 413 or 415."""
    if encoding in ("", "identity"):
        return body
    if encoding not in ("gzip", "x-gzip", "deflate"):
        raise ProblemError(
            415, "unsupported_encoding", f"Content-Encoding is {encoding[:40]!r}: use gzip, deflate or none"
        )
    window = _ZLIB if encoding == "deflate" else _GZIP
    parts, size = [], 0
    try:
        while body:  # a gzip file may have several members
            inflater = zlib.decompressobj(window)
            part = inflater.decompress(body, limit - size + 1)
            size += len(part)
            if size > limit:
                raise too_large(limit, "inflated")
            if not inflater.eof:
                raise ProblemError(
                    400, "bad_encoding", f"the {encoding} body ends too early: send it again whole"
                )
            parts.append(part)
            body = inflater.unused_data
    except zlib.error as error:
        raise ProblemError(
            400, "bad_encoding", f"the body is not {encoding}, as Content-Encoding says"
        ) from error
    return b"".join(parts)


def too_large(limit: int, how: str = "sent") -> ProblemError:
    """The refusal of a body beyond the limit."""
    return ProblemError(413, "too_large", f"the body {how} has more than {limit} bytes: send smaller batches")


def parse(body: bytes) -> Any:
    """The JSON document in a body. Raises ProblemError 400."""
    try:
        return loads(body)
    except ValueError as error:
        raise ProblemError(400, "not_json", f"the body is not JSON: {error}"[:300]) from error


def loads(text: bytes) -> Any:
    """JSON as RFC 8259 has it. Raises ValueError, and only that, for whatever bytes."""
    try:
        return json.loads(text.decode("utf-8-sig"), parse_constant=_refuse_constant)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
