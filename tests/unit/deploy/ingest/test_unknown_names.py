"""What publish says of identifier types that the policy does not name."""

import pytest

from deploy.cli.intake import tell_unknown
from deploy.ingest.unknown_names import UnknownNames
from streams.identity.policy.load import load
from tests.support.built_in import CATALOGUE
from tests.support.touchpoints import touchpoint

POLICY = load("", b"0123456789abcdef0123456789abcdef", "k1")


def noticed(*ids: tuple[str, str]) -> UnknownNames:
    unknown = UnknownNames(CATALOGUE, POLICY)
    unknown.notice(touchpoint(ids=list(ids)))
    return unknown


@pytest.mark.parametrize(
    "value", ["ann@shop.de", " Ann@Shop.co.uk ", "+49 30 1234567", "tel:+49301234567", "0049 (30) 123-4567"]
)
def test_values_of_an_unknown_type_that_look_like_personal_data_are_remarked_on(
    value: str, capsys: pytest.CaptureFixture[str]
) -> None:
    tell_unknown(noticed(("kontakt", "K1"), ("kontakt", value)))
    assert "values of 'kontakt' (1 touchpoint" in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize(
    "value",
    [
        "K-100245",
        "49301234567",
        "@ann",
        "a@b",
        "8c2fd1b0-4e1a-4f4c-9d53-7d0b8e1a2c43",
        "+49",
        "2026-01-02",
        "000012345678",
    ],
)
def test_other_values_are_not(value: str, capsys: pytest.CaptureFixture[str]) -> None:
    tell_unknown(noticed(("kontakt", value), ("email", "ann@shop.de")))
    said = " ".join(capsys.readouterr().err.split())
    assert "stored as they come: 'kontakt'" in said
    assert "look like" not in said
