"""The sandbox: broker, ClickHouse, workers and loader as child processes on loopback."""

from deploy.sandbox.brokers import Broker, KafkaBroker, TansuBroker
from deploy.sandbox.clickhouse import ClickHouseServer
from deploy.sandbox.process import Process

__all__ = ["Broker", "ClickHouseServer", "KafkaBroker", "Process", "TansuBroker"]
