"""A request for erasure under another name erases, or its sender hears that it did not."""

import pytest

from schemas.catalogue import Catalogue
from schemas.touchpoint.erasure_names import ERASURE_REQUESTED, looks_like_erasure
from tests.support.built_in import CATALOGUE


@pytest.mark.parametrize(
    "name",
    [
        "erasure_requested", "Erasure Requested", "gdpr_erasure", "GDPR-Erasure", "delete_me", "Delete Me", "forget_me",
        "right_to_be_forgotten", "Right to be forgotten",
        "\uff25rasure\uff3frequested", "erasure\u200b_requested", "data deletion request",
    ],
)  # fmt: skip
def test_the_usual_names_of_a_request_are_the_request(name: str) -> None:
    assert CATALOGUE.type_name(name) == ERASURE_REQUESTED


@pytest.mark.parametrize(
    "name",
    [
        "gdpr_erasures", "erasure_requestd", "eraseme", "Account Deleted", "user.deletion of_account",
        "customer_removed",
        "forgetcustomer", "dsgvo-löschung", "ccpa_delete", "personal data removal", "löschantrag",
    ],
)  # fmt: skip
def test_other_names_that_may_be_a_request_are_noticed(name: str) -> None:
    assert not CATALOGUE.known(name)
    assert looks_like_erasure(name)


@pytest.mark.parametrize(
    "name",
    [
        "removed_from_cart",
        "gdpr_consent_given",
        "wishlist_delete",
        "deleted_item",
        "forgot_password",
        "remover",
    ],
)
def test_names_of_other_things_are_not(name: str) -> None:
    assert not looks_like_erasure(name)


def test_no_type_of_the_catalogue_looks_like_a_request_but_the_request() -> None:
    built_in = Catalogue.load()
    assert {name for name in built_in.types if looks_like_erasure(name)} == {ERASURE_REQUESTED}
    alike = {name for name in built_in.type_aliases if looks_like_erasure(name)}
    assert {built_in.type_aliases[name] for name in alike} == {ERASURE_REQUESTED}
