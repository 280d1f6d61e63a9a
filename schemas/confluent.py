"""Look schemas up in a Confluent-compatible registry, once per id; a foreign schema is checked before it is trusted."""

import json
import urllib.error
import urllib.request
from typing import Any, Final

from schemas.bounds import check_schema
from schemas.errors import ContractError, Reason, SettingsError, UnavailableError

TIMEOUT_SECONDS: Final = 5.0
MAX_SCHEMA_BYTES: Final = 256 * 1024


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

    def lookup(self, schema_id: int) -> dict[str, Any]:
        """Return the schema with this id, fetching it the first time. Blocks for at most TIMEOUT_SECONDS."""
        if schema_id not in self._schemas:
            self._schemas[schema_id] = self._fetch(schema_id)
        return self._schemas[schema_id]

    def _fetch(self, schema_id: int) -> dict[str, Any]:
        try:
            with urllib.request.urlopen(f"{self._url}/schemas/ids/{schema_id}", timeout=TIMEOUT_SECONDS) as answer:  # noqa: S310 (scheme checked above)
                body = json.loads(answer.read(MAX_SCHEMA_BYTES))
            schema = json.loads(body["schema"])
        except urllib.error.HTTPError as error:
            if error.code == 404:
                raise ContractError(Reason.UNDECODABLE, f"the registry has no schema {schema_id}") from error
            raise UnavailableError(f"the schema registry answered {error.code}: is {self._url} healthy?") from error
        except OSError as error:
            raise UnavailableError(f"the schema registry at {self._url} does not answer: {error}") from error
        except (ValueError, KeyError, TypeError) as error:
            raise ContractError(Reason.UNDECODABLE, f"schema {schema_id} in the registry is not JSON") from error
        check_schema(schema)
        if not isinstance(schema, dict):
            raise ContractError(Reason.UNDECODABLE, f"schema {schema_id} in the registry is not a record")
        return schema
