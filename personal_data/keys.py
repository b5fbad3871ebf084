"""The port of the key store: one key per order, destroyed for good when its data is erased."""

from collections.abc import Iterable, Mapping
from typing import Protocol

from personal_data.sealing import new_key


class KeysUnavailable(Exception):  # noqa: N818 - the name is the state
    """The key store does not answer, or is not there; the message says what to do. Try again."""


class Keys(Protocol):
    """Keys by order id. A key service fits in here: see docs/audit.md."""

    async def made(self, order_ids: Iterable[str]) -> Mapping[str, bytes | None]:
        """Return the key of each order, made unless it is there; None: it was destroyed.

        What is returned is durable.

        Raises:
            KeysUnavailable: nothing can be said of any of them.
        """
        ...

    async def found(self, order_ids: Iterable[str]) -> Mapping[str, bytes]:
        """Return the keys that are there.

        Raises:
            KeysUnavailable: nothing can be said of any of them.
        """
        ...

    async def destroy(self, order_ids: Iterable[str]) -> None:
        """Destroy the orders' keys, and let none be made for them again. Durable when it returns.

        Raises:
            KeysUnavailable: it may have happened or not: do it again.
        """
        ...


class NoKeys:
    """Stands where no key store is configured: personal data is then refused, never stored."""

    async def made(self, order_ids: Iterable[str]) -> Mapping[str, bytes | None]:
        """Raise; see `Keys`."""
        del order_ids
        raise _not_configured()

    async def found(self, order_ids: Iterable[str]) -> Mapping[str, bytes]:
        """Raise; see `Keys`."""
        del order_ids
        raise _not_configured()

    async def destroy(self, order_ids: Iterable[str]) -> None:
        """Raise; see `Keys`."""
        del order_ids
        raise _not_configured()


def _not_configured() -> KeysUnavailable:
    return KeysUnavailable(
        "personal data needs a key store, and there is none: set ORDERLOG_KEYS_DATABASE_URL"
    )


class MemoryKeys:
    """Keys of this process alone, for tests: what they seal is lost with it."""

    def __init__(self) -> None:
        self._keys: dict[str, bytes | None] = {}

    async def made(self, order_ids: Iterable[str]) -> Mapping[str, bytes | None]:
        """See `Keys`."""
        return {order_id: self._keys.setdefault(order_id, new_key()) for order_id in order_ids}

    async def found(self, order_ids: Iterable[str]) -> Mapping[str, bytes]:
        """See `Keys`."""
        keys = {order_id: self._keys.get(order_id) for order_id in order_ids}
        return {order_id: key for order_id, key in keys.items() if key is not None}

    async def destroy(self, order_ids: Iterable[str]) -> None:
        """See `Keys`."""
        self._keys.update(dict.fromkeys(order_ids))
