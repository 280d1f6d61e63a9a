"""What the fetch thread sets inside aiokafka is still what aiokafka goes by."""

from aiokafka import AIOKafkaConsumer
from aiokafka.consumer.fetcher import Fetcher


def test_aiokafka_takes_the_longest_fetch_from_where_we_set_it() -> None:
    assert "_fetch_max_wait_ms" in AIOKafkaConsumer.start.__code__.co_names
    assert "_fetch_max_wait_ms" in Fetcher._get_actions_per_node.__code__.co_names


def test_aiokafka_takes_the_backoff_from_where_we_set_it() -> None:
    assert "_fetcher" in AIOKafkaConsumer.start.__code__.co_names
    assert "_prefetch_backoff" in Fetcher._proc_fetch_request.__code__.co_names
