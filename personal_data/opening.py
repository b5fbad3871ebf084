"""Sealed text within JSON, opened for whoever may read it."""

import re

from domain.values import SEALED
from personal_data.keys import Keys
from personal_data.sealing import TEXT, Unopenable, opened, order_of

_MARK = f'"{SEALED}'.encode()
_MEMBER = re.compile(f'("(?:contact|ship_to|bill_to|text)":)"({TEXT.pattern})"'.encode())
"""Members that may hold sealed text, in JSON without blanks. No other text is ever looked at."""


def is_sealed(json: bytes) -> bool:
    """Tell whether there may be sealed text in it."""
    return _MARK in json


async def open_all(json: bytes, keys: Keys) -> bytes:
    """Return the JSON with what was sealed in its place; null where the key was destroyed.

    The JSON has no blanks between its tokens. Text that its order's key has not sealed stays.

    Raises:
        KeysUnavailable: ask again later.
    """
    if not is_sealed(json):
        return json
    orders = {
        order_id
        for found in _MEMBER.finditer(json)
        if (order_id := order_of(found[2].decode())) is not None
    }
    known = await keys.found(orders)

    def plain(found: "re.Match[bytes]") -> bytes:
        text = found[2].decode()
        key = known.get(order_of(text) or "")
        if key is None:
            return found[1] + b"null"
        try:
            return found[1] + opened(key, text)
        except Unopenable:
            return found[0]

    return _MEMBER.sub(plain, json)
