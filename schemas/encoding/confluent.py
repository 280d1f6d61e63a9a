"""Look schemas up in a Confluent-compatible registry, once per id; each is checked before it is trusted."""

import json
import urllib.error
import urllib.request
from http.client import HTTPException
from typing import Any, Final

from schemas.encoding.codec import foreign_schema
from schemas.errors import ContractError, Reason, SettingsError, UnavailableError

TIMEOUT_SECONDS: Final = 5.0
MAX_ANSWER_BYTES: Final = 256 * 1024


class RegistryClient:
    """Schema id → schema, cached for the life of the process (ids are immutable in a registry).

    `lookup` raises ContractError for an id the registry does not have or a schema we refuse, and
    UnavailableError when the registry does not answer: that one is retried, never dead-lettered.
    """

    def __init__(self, url: str) -> None:
        if not url.startswith(("http://", "https://")):
            raise SettingsError(f"TOUCHLINE_REGISTRY_URL is {url!r}: it must begin with http:// or https://")
        self._url = url.rstrip("/")
        self._schemas: dict[int, dict[str, Any]] = {}
        self._refused: dict[int, tuple[Reason, str]] = {}

    def lookup(self, schema_id: int) -> dict[str, Any]:
        """Return the schema with this id, fetching it the first time. Blocks for at most TIMEOUT_SECONDS."""
        if schema_id in self._refused:
            raise ContractError(*self._refused[schema_id])
        if schema_id not in self._schemas:
            try:
                self._schemas[schema_id] = self._fetch(schema_id)
            except ContractError as error:
                self._refused[schema_id] = error.reason, str(error)
                raise
        return self._schemas[schema_id]

    def _fetch(self, schema_id: int) -> dict[str, Any]:
        try:
            url = f"{self._url}/schemas/ids/{schema_id}"
            with urllib.request.urlopen(url, timeout=TIMEOUT_SECONDS) as answer:  # noqa: S310 (scheme checked above)
                text = answer.read(MAX_ANSWER_BYTES + 1)
            body = json.loads(text)["schema"] if len(text) <= MAX_ANSWER_BYTES else None
        except urllib.error.HTTPError as error:
            if error.code == 404:
                raise ContractError(Reason.UNDECODABLE, f"the registry has no schema {schema_id}") from error
            raise UnavailableError(
                f"the schema registry answered {error.code}: is {self._url} healthy?"
            ) from error
        except (OSError, HTTPException) as error:
            raise UnavailableError(f"the schema registry at {self._url} does not answer: {error}") from error
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise UnavailableError(
                f"{self._url} does not answer as a schema registry does: check the URL"
            ) from error
        if body is None:
            raise ContractError(
                Reason.UNDECODABLE, f"schema {schema_id} is larger than {MAX_ANSWER_BYTES} bytes"
            )
        try:
            schema = json.loads(body)
        except (ValueError, TypeError, RecursionError) as error:
            raise ContractError(
                Reason.UNDECODABLE, f"schema {schema_id} in the registry is not JSON"
            ) from error
        return foreign_schema(schema)
