"""How aiokafka's clients connect: every one is made with these arguments, so that TLS and SASL reach it.

schemas/kafka_security.py has kafka-python's, streams/runtime/faust_broker.py Faust's. A test finds clients that are
made without them.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from aiokafka.abc import AbstractTokenProvider
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaConnectionError

from schemas.errors import TouchlineError
from schemas.kafka_security import OAUTHBEARER, common_options, mechanism_of, tokens_of
from schemas.settings import Settings


def client_options(settings: Settings) -> dict[str, Any]:
    """Keyword arguments for every client of aiokafka: bootstrap servers and how to connect. Raises SettingsError."""
    options = common_options(settings)
    if mechanism_of(settings) == OAUTHBEARER:
        options["sasl_oauth_token_provider"] = aiokafka_tokens(settings)
    return {"bootstrap_servers": settings.brokers, **options}


async def partition_counts(settings: Settings) -> dict[str, int]:
    """How many partitions each topic has, by its full name. Raises KafkaError, OSError or SettingsError.

    A consumer without a subscription does not learn that by itself: Apache Kafka tells it of no topic when it starts.
    All topics are asked for, since to name one would create it on a broker with auto.create.topics.enable.
    """
    client = AIOKafkaClient(**client_options(settings))
    try:
        await client.bootstrap()
        cluster = await client.fetch_all_metadata()
    finally:
        await client.close()
    return {topic: len(cluster.partitions_for_topic(topic) or ()) for topic in cluster.topics()}


@asynccontextmanager
async def started(client: Any) -> AsyncIterator[None]:
    """A consumer or producer of aiokafka that is started here and stopped at the end, whatever the broker does.

    While a broker is down aiokafka cancels tasks of its own, and lets their CancelledError out. Here it becomes a
    KafkaConnectionError, unless somebody cancels the present task.
    """
    try:
        await client.start()
        yield
    except asyncio.CancelledError as error:
        if _is_cancelled():
            raise
        raise KafkaConnectionError("the connection to the broker was lost") from error
    finally:
        await stop_client(client)


async def stop_client(client: Any) -> None:
    """Stop a consumer or producer of aiokafka, whatever the broker does."""
    try:
        with suppress(Exception):
            await client.stop()
    except asyncio.CancelledError:
        if _is_cancelled():
            raise


def _is_cancelled() -> bool:
    """Whether somebody cancels the present task."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def aiokafka_tokens(settings: Settings) -> Any:
    """A token provider as aiokafka and Faust want it. Raises SettingsError."""

    class Tokens(AbstractTokenProvider):  # type: ignore[misc]  # aiokafka has no types for it
        async def token(self) -> str:
            try:
                return await asyncio.to_thread(source.token)
            except TouchlineError as error:
                # an OSError counts as a failed connection, which the client tries again
                raise ConnectionError(str(error)) from error

    source = tokens_of(settings)
    return Tokens()
