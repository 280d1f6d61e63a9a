"""The accounts of one partition, and their changelog."""

from typing import Any

from schemas.encoding.record_types import ACCOUNT_CONTRIBUTION
from schemas.keys import account_key
from schemas.records import AccountContribution
from streams.accounts.contributions import Account


class AccountPartition:
    """The accounts agent's state for one partition: the newest contribution of each profile to each account."""

    def __init__(self, number: int) -> None:
        self.number = number
        self._accounts: dict[bytes, Account] = {}

    def account(self, tenant: str, account_id: str) -> Account:
        """The account with this id. Creates an empty one if there is none yet."""
        key = account_key(tenant, account_id)
        found = self._accounts.get(key)
        if found is None:
            found = self._accounts[key] = Account(tenant, account_id)
        return found

    def sizes(self) -> dict[str, int]:
        """What it holds, by kind."""
        return {"accounts": len(self._accounts)}

    def restore_some(self, records: list[Any], start: int) -> int:  # noqa: ARG002
        """None at once: `restore` takes each."""
        return start

    def restore(self, key: bytes, value: bytes | None) -> None:  # noqa: ARG002 (the value says it all)
        """Apply one changelog record."""
        if value is not None:
            contribution: AccountContribution = ACCOUNT_CONTRIBUTION.decode(value)
            self.account(contribution["tenant"], contribution["account_id"]).apply(contribution)

    def restored(self) -> None:
        """Nothing to do: only a contribution changes an account."""

    def caught_up(self) -> None:
        """Nothing to do, as in `restored`."""


def changelog_record(contribution: AccountContribution) -> tuple[bytes, bytes]:
    """The changelog record of a contribution. Only the key's last part may contain a slash: the account id."""
    key = f"{contribution['tenant']}/{contribution['profile_id']}/{contribution['account_id']}"
    return key.encode(), ACCOUNT_CONTRIBUTION.encode(contribution)
