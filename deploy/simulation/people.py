"""Who the simulated customers are: devices, addresses, accounts, households, drawn with a seeded random generator."""

from dataclasses import dataclass
from random import Random
from typing import Final

FIRST_NAMES: Final = (
    "amelie", "ben", "carla", "deniz", "elif", "finn", "greta", "hugo", "ines", "jonas", "karim", "lena",
    "marta", "nils", "olga", "paul", "quinn", "rosa", "samir", "tessa", "umut", "vera", "wanda", "yusuf",
)  # fmt: skip
LAST_NAMES: Final = (
    "adler", "bauer", "costa", "dogan", "eriksen", "fischer", "garcia", "haas", "ivanov", "jansen", "kaya",
    "lopez", "maier", "novak", "olsen", "petit", "rossi", "silva", "toth", "weber", "yilmaz", "zimmer",
)  # fmt: skip
#: How many of the people share a tablet with the one before them, or act for a business.
SHARES_TABLET: Final = 0.06
IS_BUSINESS: Final = 0.12
CURRENCIES: Final = (("EUR", "CHF", "GBP"), (8, 1, 1))  #: and how often each
#: How many seeds and people there are: a phone number has room for so many.
SEEDS: Final = 1_000_000
PEOPLE: Final = 1_000_000


@dataclass
class Person:
    """One customer: their identifiers and their present state."""

    number: int  #: among the people of one seed
    code: str  #: SEED-NUMBER, which no other person of any seed has
    customer_id: str
    email: str
    phone: str
    cookies: list[str]  #: a browser each; the last may be the household's tablet
    device_id: str  #: of the app
    account_id: str | None
    currency: str
    patience: float  #: patience, 0-1: how much friction they accept before they complain
    signed_up: bool = False


def draw_people(count: int, seed: int, random: Random) -> list[Person]:
    """Draw `count` people; some share a tablet with the one before, some act for the same company.

    People of different seeds have no identifier and no account in common.
    """
    people: list[Person] = []
    for number in range(count):
        first, last = random.choice(FIRST_NAMES), random.choice(LAST_NAMES)
        cookies = [_token(random, "ck") for _ in range(random.choices((1, 2, 3), (5, 4, 2))[0])]
        if people and random.random() < SHARES_TABLET:
            cookies.append(people[-1].cookies[-1])
        business = random.random() < IS_BUSINESS
        people.append(
            Person(
                number=number,
                code=f"{seed}-{number}",
                customer_id=f"C{seed}-{number}",
                email=f"{first}.{last}.{seed}-{number}@example.org",
                phone=f"+491{seed:06}{number:06}",
                cookies=cookies,
                device_id=_token(random, "app"),
                account_id=f"A{seed}-{number // 20}" if business else None,
                currency=random.choices(*CURRENCIES)[0],
                patience=random.random(),
            )
        )
    return people


def _token(random: Random, prefix: str) -> str:
    return f"{prefix}-{random.getrandbits(64):016x}"
