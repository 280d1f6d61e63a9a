"""The iterators that a service imports: one for each public topic that Touchline writes for subscribers."""

from deploy.sdk.subscribe.changes import AccountChange, ProfileChange, SignalChange, StateChange
from deploy.sdk.subscribe.kinds import ACCOUNTS, CHANGES, SIGNALS, STATES
from deploy.sdk.subscribe.subscription import Subscription


class JourneyStates(Subscription[StateChange]):
    """The newest state of each person, and the end of each profile (`change.erased`)."""

    kind = STATES


class AccountStates(Subscription[AccountChange]):
    """The newest state of each business account, and its end."""

    kind = ACCOUNTS


class Signals(Subscription[SignalChange]):
    """Signals that are raised and retracted. A group that was told of a raise is told of its retraction."""

    kind = SIGNALS


class ProfileChanges(Subscription[ProfileChange]):
    """Merges, splits and erasures of profiles, each once."""

    kind = CHANGES
