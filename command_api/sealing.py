"""Personal data on the command side: a key for whoever brings some, and its end when it is erased.

A command is given its order's key before it is queued, because whoever decides must not wait. The
owner seals with it; the key goes no further than that.
"""

from collections.abc import Sequence
from typing import Any

import orjson
from msgspec.structs import replace

from domain.commands import EraseCustomerData
from domain.personal import is_personal
from eventlog.submission import Submission
from personal_data.keys import Keys, KeysUnavailable
from personal_data.opening import open_all
from personal_data.sealing import keyed


class Sealing:
    """What the router does with the key store; commands without personal data never touch it."""

    def __init__(self, keys: Keys) -> None:
        self._keys = keys

    async def keyed(self, sent: Sequence[Submission]) -> list[Submission | KeysUnavailable]:
        """Return the submissions, those that bring personal data with the keys of their orders.

        A dry run makes no key: where none is, it is decided as it stands.
        """
        made = {one.order_id for one in sent if is_personal(one.command) and not one.is_dry_run}
        tried = {one.order_id for one in sent if is_personal(one.command) and one.is_dry_run}
        if not made and not tried:
            return list(sent)
        try:
            known = {
                **(await self._keys.found(tried) if tried else {}),
                **(await self._keys.made(made) if made else {}),
            }
        except KeysUnavailable as error:
            return [error if is_personal(one.command) else one for one in sent]
        return [_with_key(one, known) if is_personal(one.command) else one for one in sent]

    async def settled(self, sent: Submission, answer: dict[str, Any]) -> dict[str, Any]:
        """Finish what the commit alone does not: destroy the key, or show a dry run in the clear.

        The key is destroyed after the fact is in the log and before anybody is told so. Whoever
        fails in between is answered "unknown", and the repeat destroys it.

        Raises:
            KeysUnavailable: send the command again, with the same key.
        """
        if sent.is_dry_run:
            shown: dict[str, Any] = orjson.loads(await open_all(orjson.dumps(answer), self._keys))
            return shown
        if isinstance(sent.command, EraseCustomerData):
            await self._keys.destroy([sent.order_id])
        return answer


def _with_key(sent: Submission, known: dict[str, bytes | None]) -> Submission:
    if sent.order_id not in known:
        return sent
    key = known[sent.order_id]
    if key is None:
        return replace(sent, is_erased=True)
    fingerprint = keyed(key, sent.fingerprint)
    return replace(sent, key=key, fingerprint=fingerprint, plain_fingerprint=sent.fingerprint)
