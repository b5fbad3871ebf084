"""Cursors: where the next page begins. Opaque to clients, bound to filters and sort."""

import base64
import binascii
import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any, TypeAlias
from uuid import UUID

import orjson

from query_api.problems import Problem, invalid

Key: TypeAlias = datetime | int

_INT64_MAX = 2**63 - 1
_DIGEST_BYTES = 8


def scope_of(route: str, sort: str, filters: Mapping[str, Any]) -> str:
    """Name what a cursor belongs to: it is of no use with other filters or in another order."""
    text = orjson.dumps([route, sort, filters], option=orjson.OPT_SORT_KEYS, default=str)
    return hashlib.blake2b(text, digest_size=_DIGEST_BYTES).hexdigest()


def encode(scope: str, key: Key, order_id: UUID) -> str:
    """Return the cursor behind the row with this key."""
    shown = key.isoformat() if isinstance(key, datetime) else key
    raw = orjson.dumps([scope, shown, str(order_id)])
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def decode(cursor: str, scope: str, kind: type[Key]) -> tuple[Key, UUID]:
    """Return the key and the order id that the page comes after.

    Raises:
        Problem: `invalid-query`, the cursor is not one of ours or was made for other parameters.
    """
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        found = orjson.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
        made_for, shown, order_id = found
        key = _key(shown, kind)
        last = UUID(order_id)
    except (UnicodeEncodeError, binascii.Error, ValueError, TypeError, AttributeError) as error:
        raise _refused("is not a cursor that this service gave") from error
    if made_for != scope:
        raise _refused("was made for another question: send the filters and the sort it came with")
    return key, last


def _key(shown: object, kind: type[Key]) -> Key:
    if kind is datetime and isinstance(shown, str):
        moment = datetime.fromisoformat(shown)
        if moment.tzinfo is not None:
            return moment
    if kind is int and type(shown) is int and abs(shown) <= _INT64_MAX:
        return shown
    raise ValueError(shown)


def _refused(message: str) -> Problem:
    return invalid([("cursor", message)])
