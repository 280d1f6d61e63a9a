"""The accounts of one partition and their changelog."""

from schemas.codec import decode_as, encode
from schemas.keys import account_key
from schemas.records import AccountContribution
from streams.accounts.contributions import Account


class AccountPartition:
    """What the accounts agent keeps for one partition: the newest contribution of each profile to each account."""

    def __init__(self, number: int) -> None:
        self.number = number
        self._accounts: dict[bytes, Account] = {}

    def account(self, tenant: str, account_id: str) -> Account:
        """One account, empty if it is new."""
        key = account_key(tenant, account_id)
        found = self._accounts.get(key)
        if found is None:
            found = self._accounts[key] = Account(tenant, account_id)
        return found

    def restore(self, key: bytes, value: bytes | None) -> None:  # noqa: ARG002 (the value says it all)
        """Apply one changelog record."""
        if value is not None:
            contribution: AccountContribution = decode_as("AccountContribution", value)  # type: ignore[assignment]
            self.account(contribution["tenant"], contribution["account_id"]).apply(contribution)

    def restored(self) -> None:
        """Nothing is due: an account changes only when a member does."""


def changelog_record(contribution: AccountContribution) -> tuple[bytes, bytes]:
    """A contribution as its changelog keeps it; neither tenants nor profile ids hold a slash, accounts may."""
    key = f"{contribution['tenant']}/{contribution['profile_id']}/{contribution['account_id']}"
    return key.encode(), encode("AccountContribution", contribution)
