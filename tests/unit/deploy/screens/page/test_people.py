"""What a person may mean who types into the search."""

import pytest

from deploy.screens.page.people import meanings


@pytest.mark.parametrize(
    ("asked", "first"),
    [
        ("email: Ann@shop.de", "email: Ann@shop.de"),
        ("Ann@shop.de", "email:Ann@shop.de"),
        ("+49 151 1000-0012", "phone:+49 151 1000-0012"),
        ("5086ce1e-5e94-5934-8304-44a6d6c6b0d0", "profile:5086ce1e-5e94-5934-8304-44a6d6c6b0d0"),
        ("C100042", "profile:C100042"),
    ],
)
def test_the_likeliest_meaning_comes_first(asked: str, first: str) -> None:
    assert next(iter(meanings(asked))) == first


def test_a_bare_number_may_be_a_phone_a_profile_or_a_customer() -> None:
    assert list(meanings("100042"))[:3] == ["phone:100042", "profile:100042", "customer_id:100042"]
