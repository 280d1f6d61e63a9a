"""What a subscriber is told: one value for each change. `id` is its idempotency key: the same whenever it is told."""

from dataclasses import dataclass

from schemas.records import AccountState, JourneySignal, JourneyState, ProfileChanged


@dataclass(frozen=True, slots=True)
class StateChange:
    """The newest state of a person, or the end of one: merged into another profile, or erased."""

    id: str
    tenant: str
    profile_id: str
    version: int
    state: JourneyState | None  #: None if there is no such profile any more

    @property
    def erased(self) -> bool:
        """Whether what is kept under this profile id must go. `JourneyTable.survivor` tells who is left, if anybody."""
        return self.state is None


@dataclass(frozen=True, slots=True)
class AccountChange:
    """The newest state of a business account, or the end of one that has no members any more."""

    id: str
    tenant: str
    account_id: str
    version: int
    state: AccountState | None

    @property
    def erased(self) -> bool:
        """Whether what is kept under this account id must go."""
        return self.state is None


@dataclass(frozen=True, slots=True)
class SignalChange:
    """A signal that holds now (`raised`), or holds no longer: undo then what was done for this `signal_id`."""

    id: str
    signal: JourneySignal

    @property
    def raised(self) -> bool:
        """Whether the signal holds; else it is retracted, and `signal["reason"]` says why."""
        return self.signal["status"] == "RAISED"

    @property
    def signal_id(self) -> str:
        """One signal of one profile."""
        return self.signal["signal_id"]

    @property
    def tenant(self) -> str:
        """Whose customer."""
        return self.signal["tenant"]

    @property
    def profile_id(self) -> str:
        """Whose signal."""
        return self.signal["profile_id"]

    @property
    def kind(self) -> str:
        """What it says: abandoned_cart, …"""
        return self.signal["kind"]

    @property
    def event_ids(self) -> list[str]:
        """The touchpoints that caused it."""
        return self.signal["event_ids"]


@dataclass(frozen=True, slots=True)
class ProfileChange:
    """Profiles merged, split or erased; `change` has all of them, and the rule."""

    id: str
    change: ProfileChanged

    @property
    def kind(self) -> str:
        """MERGED, SPLIT or ERASED."""
        return self.change["kind"]


Change = StateChange | AccountChange | SignalChange | ProfileChange
