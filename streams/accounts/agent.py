"""The accounts agent: account-inputs → account-states.

Order of effects for a fetch: outputs, then changelog, then acknowledgement. Each account that a fetch names is
published once, whether or not it changed: a crash may have come after a publication of something else.
"""

from typing import Any

from schemas import topics
from schemas.codec import decode_as, encode
from schemas.errors import ContractError
from schemas.keys import account_key
from schemas.records import AccountContribution
from streams.accounts.contributions import Account
from streams.accounts.partition import AccountPartition, changelog_record
from streams.journeys.agent import VERSION_HEADER
from streams.journeys.rules import JourneyRules
from streams.runtime.app import WorkerApp
from streams.runtime.publisher import Outbox
from streams.runtime.rejection import dead_letter
from streams.runtime.state import ChangelogState


class Accounts:
    """Wires the pure accounts to topics and state."""

    def __init__(self, app: WorkerApp, rules: JourneyRules) -> None:
        self._app = app
        self._half_life = rules.friction_half_life_ms
        self.state: ChangelogState[AccountPartition] = ChangelogState(app, "accounts", AccountPartition)
        app.tables.add(self.state)
        name = app.settings.topic
        self._states = name(topics.ACCOUNT_STATES.name)
        self._dead_letters = name(topics.DEAD_LETTERS.name)
        app.fetch_agent(topics.ACCOUNT_INPUTS, "accounts", self.inputs)

    async def inputs(self, stream: Any) -> None:
        """Apply every fetch of account-inputs."""
        async for event in stream.noack().events():
            partition = self.state.of(event.message.partition)
            outputs, changes = self._app.outbox(), self._app.outbox()
            touched: dict[bytes, Account] = {}
            for record in event.value:
                try:
                    contribution: AccountContribution = decode_as("AccountContribution", record.value)  # type: ignore[assignment]
                except ContractError as error:
                    outputs.add(self._dead_letters, record.key or b"", dead_letter(record, error, "accounts"))
                    continue
                account = partition.account(contribution["tenant"], contribution["account_id"])
                account.version = self._app.settings.version(record.offset)
                touched[account_key(account.tenant, account.account_id)] = account
                if account.apply(contribution):
                    changes.add_at((self.state.topic_name, partition.number), *changelog_record(contribution))
            for key, account in touched.items():
                self._publish(key, account, outputs)
            await self._app.publisher.publish(outputs)
            for first, last in (await self._app.publisher.publish(changes)).values():
                self.state.written(partition.number, partition, first, last)
            event.ack()

    def _publish(self, key: bytes, account: Account, outputs: Outbox) -> None:
        state = account.state(self._half_life)
        if state is None:
            outputs.add(self._states, key, None, [(VERSION_HEADER, str(account.version).encode())])
        else:
            outputs.add(self._states, key, encode("AccountState", state))
