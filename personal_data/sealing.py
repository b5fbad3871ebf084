"""Personal data as sealed text, and back: AES-256-GCM under the key of its order.

Sealed text is `sealed1:` and, in base64url without padding,

    essence (18 bytes) | order id (16) | version (4, big endian) | nonce (12) | ciphertext and tag

The essence is a keyed hash: equal for equal data of one order, and worthless without the key. Order
id and version, that of the first event of the command that brought the data, are the associated
data: text that was moved to another order, or that says another place, does not open.
"""

import hmac
import os
import re
import uuid
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from domain.values import SEALED, Sealed

KEY_BYTES = 32
TEXT = re.compile(rf"{SEALED}([A-Za-z0-9_-]{{88,}})")
"""Sealed text, whole; all of its characters stand for themselves in JSON."""

_ESSENCE_BYTES, _ORDER_BYTES, _VERSION_BYTES, _NONCE_BYTES = 18, 16, 4, 12
_ORDER_AT = _ESSENCE_BYTES
_NONCE_AT = _ESSENCE_BYTES + _ORDER_BYTES + _VERSION_BYTES
_CIPHERTEXT_AT = _NONCE_AT + _NONCE_BYTES
_ESSENCE, _REQUEST = b"orderlog essence 1", b"orderlog request 1"


class Unopenable(Exception):  # noqa: N818 - says what it is
    """The text is not what this key has sealed: another key, another place, or it was changed."""


def new_key() -> bytes:
    """Return the key of one order."""
    return os.urandom(KEY_BYTES)


def seal(key: bytes, order_id: str, version: int, value: Any) -> Sealed:
    """Return `value` (a text, or what orjson writes as an object) sealed for its place."""
    plain = orjson.dumps(value)
    essence = _hash(key, _ESSENCE, plain)[:_ESSENCE_BYTES]
    place = uuid.UUID(order_id).bytes + version.to_bytes(_VERSION_BYTES, "big")
    nonce = os.urandom(_NONCE_BYTES)
    sealed = essence + place + nonce + AESGCM(key).encrypt(nonce, plain, place)
    return Sealed(SEALED + urlsafe_b64encode(sealed).rstrip(b"=").decode())


def order_of(text: str) -> str | None:
    """Return the id of the order whose key opens `text`; None: it is not sealed text."""
    sealed = _bytes_of(text)
    return None if sealed is None else str(uuid.UUID(bytes=sealed[_ORDER_AT:][:_ORDER_BYTES]))


def opened(key: bytes, text: str) -> bytes:
    """Return the JSON of what was sealed.

    Raises:
        Unopenable: see there.
    """
    sealed = _bytes_of(text)
    if sealed is None:
        raise Unopenable("this is no sealed text")
    place = sealed[_ORDER_AT:_NONCE_AT]
    try:
        return AESGCM(key).decrypt(sealed[_NONCE_AT:_CIPHERTEXT_AT], sealed[_CIPHERTEXT_AT:], place)
    except InvalidTag as error:
        raise Unopenable("the text was changed, or another key has sealed it") from error


def keyed(key: bytes, fingerprint: bytes) -> bytes:
    """Return a request's fingerprint so that nobody without the key can guess the request."""
    return _hash(key, _REQUEST, fingerprint)


def _hash(key: bytes, purpose: bytes, data: bytes) -> bytes:
    """HMAC-SHA256 under a key of its own, derived by one more HMAC (NIST SP 800-108)."""
    return hmac.digest(hmac.digest(key, purpose, "sha256"), data, "sha256")


def _bytes_of(text: str) -> bytes | None:
    found = TEXT.fullmatch(text)
    if found is None:
        return None
    encoded = found[1]
    try:
        return urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))
    except ValueError:
        return None
