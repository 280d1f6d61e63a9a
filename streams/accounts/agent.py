"""The accounts agent: account-inputs → account-states.

Each fetch publishes the state of every account that it names, changed or not: a crash may have interrupted an earlier
attempt between two of its states.
"""

from typing import Any

from schemas import headers, topics
from schemas.encoding.record_types import ACCOUNT_CONTRIBUTION, ACCOUNT_STATE
from schemas.keys import account_key
from schemas.records import AccountContribution
from schemas.version_bounds import AheadError
from streams.accounts.contributions import Account
from streams.accounts.partition import AccountPartition, changelog_record
from streams.journeys.rules.rules import JourneyRules
from streams.runtime.app import WorkerApp
from streams.runtime.state import ChangelogState
from streams.runtime.transaction import FetchTransaction


class Accounts:
    """Connects the pure accounts with their topics and their state."""

    def __init__(self, app: WorkerApp, rules: JourneyRules) -> None:
        self._app = app
        self._half_life = rules.friction_half_life_ms
        self.state: ChangelogState[AccountPartition] = ChangelogState(app, "accounts", AccountPartition)
        app.tables.add(self.state)
        name = app.settings.topic
        self._states = name(topics.ACCOUNT_STATES.name)
        app.fetch_agent(topics.ACCOUNT_INPUTS, "accounts", self.inputs)

    async def inputs(self, stream: Any) -> None:
        """Apply each fetch of account-inputs."""
        async for event in stream.noack().events():
            async with FetchTransaction(
                self._app, self.state, event.message.partition, "accounts", event
            ) as fetch:
                touched: dict[bytes, tuple[Account, Any]] = {}
                for record in event.value:
                    with fetch.dead_letter(record):
                        try:
                            self._apply(record, fetch, touched)
                        except AheadError:
                            await self._app.internal.look()
                            self._apply(record, fetch, touched)
                for key, (account, record) in touched.items():
                    with fetch.dead_letter(record):
                        self._publish(key, account, fetch)

    def _apply(
        self,
        record: Any,
        fetch: FetchTransaction[AccountPartition],
        touched: dict[bytes, tuple[Account, Any]],
    ) -> None:
        contribution: AccountContribution = ACCOUNT_CONTRIBUTION.decode(record.value)
        self._app.internal.check("AccountContribution", contribution, record)
        account = fetch.state.account(contribution["tenant"], contribution["account_id"])
        account.version = self._app.settings.version(record.offset)
        touched[account_key(account.tenant, account.account_id)] = account, record
        if account.apply(contribution):
            fetch.write(*changelog_record(contribution))

    def _publish(self, key: bytes, account: Account, fetch: FetchTransaction[AccountPartition]) -> None:
        state = account.state(self._half_life)
        if state is None:
            fetch.publish(self._states, key, None, [(headers.VERSION, str(account.version).encode())])
        else:
            fetch.publish(self._states, key, ACCOUNT_STATE.encode(state))
