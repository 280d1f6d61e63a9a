"""Settings in the environment: numbers and names, and no misspelt variable."""

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any, Final

from schemas.errors import SettingsError

_PREFIX: Final = "TOUCHLINE_"
#: Variables that are no setting of a deployment: the sandbox reads where its ClickHouse library is.
SANDBOX_VARIABLES: Final = ("TOUCHLINE_LIBCHDB",)


def refuse_unknown(env: Mapping[str, str], settings: list[str]) -> None:
    """Raise SettingsError for a variable that begins with TOUCHLINE_ and is none of `settings`."""
    known = [*settings, *SANDBOX_VARIABLES]
    unknown = sorted(name for name in env if name.startswith(_PREFIX) and name not in known)
    if not unknown:
        return
    # all begin alike: only what follows tells how near two are
    endings = [name.removeprefix(_PREFIX) for name in known]
    near = get_close_matches(unknown[0].removeprefix(_PREFIX), endings, n=1)
    advice = (
        f"did you mean {_PREFIX}{near[0]}?" if near else f"unset it; the settings are {', '.join(settings)}"
    )
    raise SettingsError(f"{unknown[0]} is not a setting of Touchline: {advice}")


def parsed(variable: str, text: str, default: Any) -> Any:
    """The text as the type of the default. Raises SettingsError naming the variable."""
    kind = type(default)
    if kind is str:
        return text
    try:
        return kind(text)
    except ValueError as error:
        raise SettingsError(f"{variable} is {text!r}: it must be a number, like {default}") from error
