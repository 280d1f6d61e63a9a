"""How Faust connects to Kafka: schemas.kafka_security's answer in Faust's own classes."""

from typing import Any

from faust.auth import OAuthCredentials, SASLCredentials, SSLCredentials

from schemas.kafka_client import aiokafka_tokens
from schemas.kafka_security import (
    OAUTHBEARER,
    bootstrap_servers,
    check_connection,
    sasl_password,
    ssl_context,
)
from schemas.settings import Settings


def broker_options(settings: Settings) -> dict[str, Any]:
    """Keyword arguments of `faust.App`: the brokers and how to connect. Raises SettingsError."""
    check_connection(settings)
    return {
        "broker": [f"kafka://{server}" for server in bootstrap_servers(settings)],
        "broker_credentials": _credentials(settings),
    }


def _credentials(settings: Settings) -> Any:
    context = ssl_context(settings)
    if not settings.kafka_security.startswith("sasl_"):
        return None if context is None else SSLCredentials(context)
    if settings.kafka_mechanism == OAUTHBEARER:
        return OAuthCredentials(oauth_cb=aiokafka_tokens(settings), ssl_context=context)
    return SASLCredentials(
        username=settings.kafka_user,
        password=sasl_password(settings),
        mechanism=settings.kafka_mechanism,
        ssl_context=context,
    )
