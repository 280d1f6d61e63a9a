"""Look schemas up in a Confluent-compatible registry, once per id; each is checked before it is trusted."""

import json
from typing import Any

from schemas.encoding.codec import foreign_schema
from schemas.encoding.registry_http import MAX_ANSWER_BYTES, RegistryHttp
from schemas.errors import ContractError, Reason


class RegistryClient:
    """Schema id → schema, cached for the life of the process (ids are immutable in a registry).

    `lookup` raises ContractError for an id the registry does not have or a schema we refuse, and
    UnavailableError when the registry does not answer: that one is retried, never dead-lettered.
    """

    def __init__(self, url: str) -> None:
        """Raise SettingsError for a URL that is not HTTP."""
        self._http = RegistryHttp(url)
        self._schemas: dict[int, dict[str, Any]] = {}
        self._refused: dict[int, tuple[Reason, str]] = {}

    def lookup(self, schema_id: int) -> dict[str, Any]:
        """Return the schema with this id, fetching it the first time. Blocks as `RegistryHttp.ask` does."""
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
        status, answer = self._http.ask("GET", "schemas", "ids", str(schema_id), expected=(404,))
        if status == 404:
            raise ContractError(Reason.UNDECODABLE, f"the registry has no schema {schema_id}")
        if answer is not None and not (isinstance(answer, dict) and "schema" in answer):
            raise self._http.strange()
        body = answer["schema"] if answer is not None else None
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
