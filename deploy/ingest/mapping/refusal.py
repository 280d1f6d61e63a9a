"""Why a row has no touchpoints: every reader refuses a row by this one rule, so that no row stops a run."""

from schemas.errors import ContractError, Reason, TouchlineError


def refusal_of(error: Exception) -> ContractError:
    """The refusal of a row on which `error` was raised.

    A ContractError is that itself. Any other exception of the row's own is a bug: the row is refused with the reason
    UNEXPECTED, because a bug must not stop the rows behind it. MemoryError, OSError and any other TouchlineError are
    not caused by the row and are raised again.
    """
    if isinstance(error, ContractError):
        return error
    if isinstance(error, (MemoryError, OSError, TouchlineError)):
        raise error
    text = f"a bug of Touchline, please report it: {type(error).__name__}: {error}"
    return ContractError(Reason.UNEXPECTED, text[:500])
