"""A small made-up shop: orders in three currencies, in every state that an order can be in."""

import random
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from seeding.life import Life
from seeding.orders import SeedOrder, Survey, utc
from seeding.stories import STORIES

NAME = "demo"
ORDERS = 3 * len(STORIES)
_FIRST = datetime(2025, 3, 3, 8, 0, tzinfo=UTC)
_BETWEEN = timedelta(hours=5, minutes=17, seconds=23)

# What 100 of the smallest unit of the price list (euro cents) are in each currency's own.
_CURRENCIES: Mapping[str, int] = {"EUR": 100, "JPY": 160, "KWD": 330}
_GOODS = (
    ("CUP-01", "Cup, white", 1299),
    ("CUP-02", "Cup, blue glaze", 1499),
    ("TEA-11", "Green tea, 100 g", 890),
    ("TEA-12", "Earl Grey, 250 g", 1645),
    ("POT-03", "Teapot, cast iron", 6900),
    ("SPN-04", "Spoon, olive wood", 450),
    ("TRY-05", "Tray, oak", 3295),
    ("HNY-06", "Honey, acacia", 749),
    ("BSC-07", "Biscuits, almond", 525),
    ("CND-08", "Candle, beeswax", 1180),
)
_PEOPLE = (
    ("Ada Brandt", "Lindenallee 4", "10115", "Berlin", "DE"),
    ("Mina Okafor", "Rue des Lilas 12", "69003", "Lyon", "FR"),
    ("Haruto Sato", "2-8-1 Nishi-Shinjuku", "163-8001", "Tokyo", "JP"),
    ("Noor Al-Sabah", "Gulf Road 77", "13001", "Kuwait City", "KW"),
    ("Jonas Weber", "Am Markt 1", "28195", "Bremen", "DE"),
    ("Sofia Rossi", "Via Garibaldi 9", "20121", "Milano", "IT"),
    ("Yui Tanaka", "1-1 Chiyoda", "100-8111", "Tokyo", "JP"),
)


class Demo:
    """Implements `Dataset`. The n-th order is the same in every run."""

    name = NAME

    def __init__(self) -> None:
        self.survey = Survey()

    def orders(self, count: int) -> Iterator[SeedOrder]:
        """Yield `count` orders; after `ORDERS` the stories repeat with other goods."""
        for number in range(count):
            self.survey.baskets += 1
            order = _order(number)
            self.survey.rows += len(order.commands[0]["data"]["lines"])
            yield order


def _order(number: int) -> SeedOrder:
    chance = random.Random(number)  # noqa: S311 - the same shopping in every run
    currency = list(_CURRENCIES)[sum(divmod(number, len(STORIES))) % len(_CURRENCIES)]
    life = Life(_cart(chance, number, currency))
    STORIES[number % len(STORIES)](life)
    return life.told(NAME, f"{number + 1:06d}")


def _cart(chance: random.Random, number: int, currency: str) -> dict[str, Any]:
    """Fill a cart with 2 to 4 sorts of goods, 2 to 5 pieces each."""
    goods = chance.sample(_GOODS, chance.randint(2, 4))
    lines = [_line(chance, good, currency, is_taxed=number % 4 == 1) for good in goods]
    value = sum(line["quantity"] * line["unit_price_minor"] for line in lines)
    discount = value // 10 if number % 5 == 2 else 0  # noqa: PLR2004 - some orders
    shipping = _price(490, currency) if number % 3 else 0
    person = number % len(_PEOPLE)
    data = {
        "customer_id": f"demo-{person + 1}",
        "currency": currency,
        "placed_at": utc(_FIRST + number * _BETWEEN),
        "lines": lines,
        "shipping": {"method": "standard" if shipping else "collect", "price_minor": shipping},
        **_addressed(person),
    }
    if discount:
        data["discounts"] = [{"discount_id": "SPRING", "amount_minor": discount}]
    return data


def _line(
    chance: random.Random, good: tuple[str, str, int], currency: str, *, is_taxed: bool
) -> dict[str, Any]:
    sku, name, price = good
    quantity, unit_price = chance.randint(2, 5), _price(price, currency)
    tax = {
        "code": "VAT",
        "rate": "0.10",
        "amount_minor": quantity * unit_price // 10,
        "included": False,
    }
    return {
        "sku": sku,
        "name": name,
        "quantity": quantity,
        "unit_price_minor": unit_price,
        "taxes": [tax] if is_taxed else [],
    }


def _price(euro_cents: int, currency: str) -> int:
    return euro_cents * _CURRENCIES[currency] // 100


def _addressed(person: int) -> dict[str, Any]:
    name, street, postal_code, city, country = _PEOPLE[person]
    return {
        "contact": {
            "name": name,
            "email": f"{name.split()[0].lower()}@example.org",
            "phone": f"+00 555 {person:04d}",
        },
        "ship_to": {
            "name": name,
            "lines": [street],
            "postal_code": postal_code,
            "city": city,
            "region": "",
            "country": country,
        },
    }
