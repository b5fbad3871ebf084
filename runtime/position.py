"""Positions: how far a reader of the log has come, as a short token that clients hand back."""

import base64
import binascii
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

_FORMAT = 1
_LOG_ID_BYTES = 4
_OFFSET_MAX = 2**63 - 1
_SEVEN_BITS = 0x7F


class PositionError(ValueError):
    """The token is not one of ours. The caller should send a token it got from an answer."""


def log_id(cluster_id: str, topic_id: str) -> bytes:
    """Name one topic of one cluster in four bytes, so that a foreign token is noticed.

    The first four bits are 0: so every token begins with `AQ` and is known at a glance.
    """
    digest = hashlib.sha256(f"{cluster_id}/{topic_id}".encode()).digest()
    return bytes([digest[0] & 0x0F]) + digest[1:_LOG_ID_BYTES]


@dataclass(frozen=True, slots=True)
class Position:
    """Everything below `offsets[partition]` is contained, for each partition named."""

    log_id: bytes
    offsets: Mapping[int, int]

    def encode(self) -> str:
        """Pack into a token of URL-safe characters; it begins with `AQ`."""
        raw = bytearray([_FORMAT])
        raw += self.log_id
        for partition in sorted(self.offsets):
            raw += _varint(partition)
            raw += _varint(self.offsets[partition])
        return base64.urlsafe_b64encode(bytes(raw)).rstrip(b"=").decode()

    @classmethod
    def decode(cls, token: str) -> "Position":
        """Unpack a token.

        Raises:
            PositionError: the token was not made by `encode`.
        """
        try:
            raw = base64.b64decode(
                token.encode("ascii") + b"=" * (-len(token) % 4), altchars=b"-_", validate=True
            )
        except (UnicodeEncodeError, binascii.Error) as error:
            raise PositionError("the position is not a token that this service gave") from error
        if len(raw) < 1 + _LOG_ID_BYTES or raw[0] != _FORMAT:
            raise PositionError("the position is not a token that this service gave")
        numbers = _read_varints(raw[1 + _LOG_ID_BYTES :])
        if len(numbers) % 2:
            raise PositionError("the position is cut off")
        offsets = dict(zip(numbers[::2], numbers[1::2], strict=True))
        if len(offsets) * 2 != len(numbers):
            raise PositionError("the position names a partition twice")
        return cls(raw[1 : 1 + _LOG_ID_BYTES], offsets)

    def contains(self, other: "Position") -> bool:
        """Tell whether all that `other` contains is contained here too."""
        return self.log_id == other.log_id and all(
            self.offsets.get(partition, 0) >= offset for partition, offset in other.offsets.items()
        )


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > _SEVEN_BITS:
        out.append(number & _SEVEN_BITS | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def _read_varints(raw: bytes) -> list[int]:
    numbers, number, shift, is_open = [], 0, 0, False
    for byte in raw:
        number |= (byte & _SEVEN_BITS) << shift
        shift += 7
        is_open = bool(byte & 0x80)
        if number > _OFFSET_MAX:
            raise PositionError("the position names an offset that cannot be")
        if not is_open:
            numbers.append(number)
            number, shift = 0, 0
    if is_open:
        raise PositionError("the position is cut off")
    return numbers
