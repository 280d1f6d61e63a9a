"""The catalogue: the built-in one, one of the user's own, and wrong ones."""

from pathlib import Path

import pytest

from schemas.catalogue import COMPONENTS, UNKNOWN, Catalogue
from schemas.errors import SettingsError
from streams.journeys.rules.meaning import meanings_of
from tests.support.built_in import RULES

BUILT_IN = Catalogue.load()


def test_the_built_in_catalogue_is_worth_having() -> None:
    assert len(BUILT_IN.types) >= 60
    components = {kind.component for kind in BUILT_IN.types.values()}
    assert components == set(COMPONENTS)
    # what tracking SDKs say of a person, and no contact
    others = {name: kind.direction for name, kind in BUILT_IN.types.items() if kind.component == "other"}
    assert others == dict.fromkeys(("identify", "group", "alias"), "internal")
    assert {kind.stage for kind in BUILT_IN.types.values()} - {None} == set(BUILT_IN.stages)
    assert all(0 <= kind.friction <= 10 for kind in BUILT_IN.types.values())


def test_an_ouch_moment_costs_friction_and_a_wow_moment_none() -> None:
    for name, kind in BUILT_IN.types.items():
        if kind.moment is not None:
            assert (kind.friction > 0) == (kind.moment == "ouch"), name


@pytest.mark.parametrize(
    "name",
    [
        "home",
        "catalog",
        "product_view",
        "search",
        "filter_results",
        "add_to_cart",
        "cart",
        "shipping_details",
        "payment_details",
        "wishlist_add",
        "promo_page",
        "account_page",
        "purchase",
        "review_page",
        "support_chat",
        "error_page",
        "compare",
        "payment_error",
        "checkout_bug",
    ],
)
def test_the_types_of_a_common_shop_log_are_known(name: str) -> None:
    assert BUILT_IN.known(name)


def test_a_purchase_is_an_order() -> None:
    assert BUILT_IN.type("purchase").effect == BUILT_IN.type("order_placed").effect == "order_placed"


def test_unknown_types_and_channels_have_a_meaning() -> None:
    assert BUILT_IN.type("teleported") is UNKNOWN
    assert (UNKNOWN.component, UNKNOWN.direction, UNKNOWN.friction) == ("other", "inbound", 0.0)
    assert not BUILT_IN.known("teleported")
    assert not BUILT_IN.human("hologram")
    assert BUILT_IN.human("phone")
    assert not BUILT_IN.human("chatbot")


def test_a_file_of_ones_own_names_only_what_it_adds_or_changes(tmp_path: Path) -> None:
    path = tmp_path / "catalogue.toml"
    path.write_text(
        '[channels]\nchat = "digital"\nhologram = "human"\n'
        "[types]\nteleported = { component = 'sales', stage = 'intent' }\n"
        "home = { component = 'marketing' }\n"
    )
    catalogue = Catalogue.load(str(path))
    assert catalogue.type("teleported").stage == "intent"
    assert catalogue.type("home").component == "marketing"
    assert catalogue.known("purchase")
    assert [catalogue.human(channel) for channel in ("chat", "hologram", "phone")] == [False, True, True]
    assert {"hologram", "phone"} <= catalogue.channels


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "[types]\n\nx = { component = 'shop' }",
            "line 3: types.x.component is 'shop': use marketing or",
        ),
        ("[types.x]\nstage = 'bliss'", "line 1: types.x.stage is 'bliss': use awareness or"),
        ("[types]\nx = { stage = 'intent' }", "line 2: types.x has no component"),
        (
            "[types]\nx = { component = 'sales', friction = 11 }",
            "types.x.friction is 11: it must be a number from 0",
        ),
        ("[types]\nx = { component = 'sales', friction = true }", "types.x.friction is True"),
        (
            "[types]\nx = { component = 'sales', colour = 1 }",
            "types.x.colour is unknown: use component, stage",
        ),
        (
            "[types]\nx = { component = 'sales', effect = 'magic' }",
            "types.x.effect is 'magic': use cart_opened",
        ),
        (
            "[types]\nx = { component = 'sales', owner = ' ' }",
            "types.x.owner is ' ': name a team in at most 128",
        ),
        ("[types]\nx = { component = 'sales', owner = 5 }", "types.x.owner is 5: name a team"),
        ("[owners]\nshop = 'web'", "line 2: owners.shop is no component: use marketing, sales"),
        ("[owners]\nsales = ['a']", "owners.sales is ['a']: name a team"),
        (f"[owners]\nsales = '{'x' * 129}'", "name a team in at most 128 bytes"),
        ("owners = 'sales'", "owners must be a table, like [owners]"),
        ("[types]\nx = 5", "types.x must be a table"),
        ("types = 5", "types must be a table"),
        ("[channels]\nweb = 'robot'", 'line 2: channels.web is \'robot\': use "digital" or "human"'),
        ("stages = ['a', 'a']", "stages names a stage twice"),
        ("stages = 'a'", "stages must be a list"),
        ("stages = ['a']", "stages lacks 'awareness', which type ad_impression names"),
        (
            "colours = 1",
            "colours is unknown: use stages, purposes, owners, channels, channel_aliases, types or aliases",
        ),
        ("[aliases]\nhome = 'catalog'", "line 2: aliases.home is a type itself: remove the alias"),
        (
            "[aliases]\nbought = 'purchsae'",
            "aliases.bought is 'purchsae': name a type that the catalogue has",
        ),
        ("[aliases]\nbought = 'order_completed'", "aliases.bought is 'order_completed': name a type"),
        ("[aliases]\nbought = 5", "aliases.bought is 5: name a type"),
        ("[channel_aliases]\nhall = 'shop'", "channel_aliases.hall is 'shop': name a channel that"),
        (
            "[types]\nx_y = { component = 'sales' }\n'X Y' = { component = 'sales' }",
            "types.X Y is 'x_y', as 'x_y' is: remove one",
        ),
        (f"[types]\n{'x' * 129} = {{ component = 'sales' }}", "has more than 128 bytes: shorten it"),
        (f"[channels]\n{'x' * 65} = 'human'", "has more than 64 bytes: shorten it"),
        ("[channels]\n' ' = 'human'", "has no name: give it one"),
        ("purposes = 'marketing'", "purposes must be a list of names"),
        ("purposes = ['']", "purposes must be a list of names"),
        ("stages = [", "mine.toml is not TOML"),
    ],
)
def test_a_wrong_catalogue_is_named_with_its_line_and_its_fix(text: str, sentence: str) -> None:
    with pytest.raises(SettingsError) as error:
        Catalogue.parse(text, "mine.toml", BUILT_IN)
    assert sentence in str(error.value)
    assert "mine.toml" in str(error.value)


@pytest.mark.parametrize(
    "name", ["Order Placed", "order-placed", " ORDER_PLACED ", "Order Completed", "checkout_completed"]
)
def test_a_type_is_found_however_a_source_writes_it(name: str) -> None:
    assert BUILT_IN.known(name)
    assert BUILT_IN.type_name(name) == "order_placed"
    assert BUILT_IN.type(name).effect == "order_placed"


def test_a_channel_is_found_however_a_source_writes_it() -> None:
    assert [BUILT_IN.channel_name(name) for name in ("Phone", "call-center", "Hologram 2")] == [
        "phone", "phone", "hologram_2",
    ]  # fmt: skip
    assert BUILT_IN.human("Call Center")


def test_every_alias_names_a_type_or_a_channel_and_none_is_one() -> None:
    assert set(BUILT_IN.type_aliases.values()) <= BUILT_IN.types.keys()
    assert not BUILT_IN.type_aliases.keys() & BUILT_IN.types.keys()
    assert set(BUILT_IN.channel_aliases.values()) <= BUILT_IN.channels
    assert not BUILT_IN.channel_aliases.keys() & BUILT_IN.channels


def test_a_file_of_ones_own_adds_aliases_replaces_some_and_makes_types_of_others() -> None:
    text = (
        "purposes = ['Loyalty Club']\n[types]\n'Product Viewed' = { component = 'sales' }\n"
        "[aliases]\n'Kauf Abgeschlossen' = 'Order-Placed'\nrefund = 'order_returned'\n"
    )
    catalogue = Catalogue.parse(text, "mine.toml", BUILT_IN)

    assert catalogue.type_name("kauf-abgeschlossen") == "order_placed"
    assert catalogue.type_name("refund") == "order_returned"
    assert catalogue.type_name("order_completed") == "order_placed"
    assert catalogue.type_name("product_viewed") == "product_viewed"
    assert catalogue.type("product_viewed").component == "sales"
    assert {"loyalty_club", "marketing"} <= catalogue.purposes


def test_a_missing_file_names_the_setting() -> None:
    with pytest.raises(SettingsError, match="TOUCHLINE_CATALOGUE names a file that cannot be read: /no/such"):
        Catalogue.load("/no/such/catalogue.toml")


def test_a_type_belongs_to_its_own_team_or_to_that_of_its_component() -> None:
    assert BUILT_IN.owner("Shipment Late") == "logistics"
    assert BUILT_IN.owner("order_completed") == BUILT_IN.owner("order_placed") == BUILT_IN.owners["commerce"]
    assert BUILT_IN.owner("teleported") == ""
    assert all(BUILT_IN.owner(name) for name in (*BUILT_IN.types, *BUILT_IN.type_aliases))

    text = "[owners]\nservice = ' Care '\n[types]\nshipment_late = { component = 'commerce', owner = 'couriers' }\n"
    ours = Catalogue.parse(text, "mine.toml", BUILT_IN)
    assert [ours.owner(name) for name in ("complaint", "shipment_late", "shipment_lost", "home")] == [
        "Care", "couriers", "logistics", "shop",
    ]  # fmt: skip
    assert Catalogue.parse("[types]\nx = { component = 'sales' }", "bare.toml").owner("x") == "sales"


def test_another_team_changes_no_journey() -> None:
    moved = Catalogue.parse("[owners]\ncommerce = 'web team'", "mine.toml", BUILT_IN)
    assert meanings_of(moved, RULES).fingerprint == meanings_of(BUILT_IN, RULES).fingerprint
    moved = Catalogue.parse(
        "[types]\nhome = { component = 'commerce', owner = 'web team' }", "mine.toml", BUILT_IN
    )
    assert meanings_of(moved, RULES).fingerprint == meanings_of(BUILT_IN, RULES).fingerprint
