"""The built-in identity policy (with a key), catalogue and journey rules: most tests ask for no others."""

from schemas.catalogue import Catalogue
from streams.identity.policy.load import load
from streams.journeys.rules.rules import JourneyRules

POLICY = load("", b"a secret of more than thirty-two characters", "k1")
CATALOGUE = Catalogue.load()
RULES = JourneyRules.load()
