"""The real parts that tests share: one of each for the whole session."""

import signal
from collections.abc import Iterator

import pytest

from deploy.sandbox import Broker, ClickHouseServer, KafkaBroker, TansuBroker
from tests.integration.parts import skip_without_kafka
from tests.integration.store import Store, migrated


def pytest_configure() -> None:
    """Ctrl-C reaches what tests start, even if this run was started in the background, where shells ignore it."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def clickhouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClickHouseServer]:
    """One ClickHouse; each test uses a database of its own."""
    folder = tmp_path_factory.mktemp("clickhouse")
    server = ClickHouseServer(folder / "data", folder)
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def tansu(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TansuBroker]:
    """One Tansu broker; each test uses a topic prefix of its own."""
    broker = TansuBroker(tmp_path_factory.mktemp("tansu"))
    broker.start()
    yield broker
    broker.stop()


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaBroker]:
    """One Apache Kafka; each test uses a topic prefix of its own."""
    skip_without_kafka()
    folder = tmp_path_factory.mktemp("kafka")
    broker = KafkaBroker(folder / "data", folder)
    broker.start()
    yield broker
    broker.stop()


@pytest.fixture(scope="module")
def own_kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaBroker]:
    """A broker that tests may kill."""
    folder = tmp_path_factory.mktemp("kafka")
    broker = KafkaBroker(folder / "data", folder)
    broker.start()
    yield broker
    broker.stop()


@pytest.fixture(params=["tansu", pytest.param("kafka", marks=pytest.mark.kafka)])
def broker(request: pytest.FixtureRequest) -> Broker:
    """Both brokers, one after the other."""
    found: Broker = request.getfixturevalue(request.param)
    return found


@pytest.fixture(scope="session")
def tables(clickhouse: ClickHouseServer) -> Iterator[Store]:
    """A database with all tables, for tests that only look at what they are like."""
    store = Store(migrated(clickhouse))
    yield store
    store.close()


@pytest.fixture
def store(clickhouse: ClickHouseServer) -> Iterator[Store]:
    """A database with all tables."""
    store = Store(migrated(clickhouse))
    yield store
    store.close()
