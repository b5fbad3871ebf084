"""Which events of the range belong into an export."""

from typing import Annotated

from pydantic import Field

from audit.strict import INT64_MAX, Strict
from domain.events import Recorded

Version = Annotated[int, Field(ge=1, le=INT64_MAX)]


class Filter(Strict):
    """What was asked for; None: no limit. An event is taken when all of it is so.

    Times are those of recording in us, `from_us` inclusive, `to_us` exclusive; versions are both
    inclusive. `customer_id` is that of an order's first event; `reason` is a part of an event's.
    """

    order_id: str | None = None
    customer_id: str | None = None
    from_us: int | None = None
    to_us: int | None = None
    from_version: Version | None = None
    to_version: Version | None = None
    actor_kind: str | None = None
    actor_id: str | None = None
    correlation_id: str | None = None
    causation_id: str | None = None
    reason: str | None = None

    @property
    def is_whole(self) -> bool:
        """Nothing is left out."""
        return self == Filter()

    @property
    def is_gapless(self) -> bool:
        """What is taken of an order follows one another without gaps."""
        by_event = (self.actor_kind, self.actor_id, self.correlation_id, self.causation_id)
        return (*by_event, self.reason) == (None,) * 5

    def takes(self, recorded: Recorded) -> bool:
        """Tell whether an event belongs into the export, as far as it says so itself."""
        actor, version, at_us = recorded.actor, recorded.version, recorded.recorded_at_us
        return (
            (self.order_id is None or recorded.order_id == self.order_id)
            and (self.from_us is None or at_us >= self.from_us)
            and (self.to_us is None or at_us < self.to_us)
            and (self.from_version is None or version >= self.from_version)
            and (self.to_version is None or version <= self.to_version)
            and (self.actor_kind is None or actor.kind == self.actor_kind)
            and (self.actor_id is None or actor.id == self.actor_id)
            and (self.correlation_id is None or recorded.correlation_id == self.correlation_id)
            and (self.causation_id is None or recorded.causation_id == self.causation_id)
            and (self.reason is None or self.reason in recorded.reason)
            and (version != 1 or self.customer_id in (None, customer_of(recorded)))
        )


def customer_of(recorded: Recorded) -> str | None:
    """Return the customer that an order's first event names."""
    named: str | None = getattr(recorded.event, "customer_id", None)
    return named


class Choice:
    """Tells what a filter takes of one partition. It must see all events, in order of offsets.

    With `customer_id` it remembers the orders of that customer, and nothing else.
    """

    def __init__(self, chosen: Filter) -> None:
        self._filter = chosen
        self._is_whole = chosen.is_whole
        self._orders: set[str] = set()

    def takes(self, recorded: Recorded) -> bool:
        """Tell whether the event belongs into the export."""
        if self._is_whole:
            return True
        customer_id = self._filter.customer_id
        if customer_id is not None:
            if recorded.version == 1 and customer_of(recorded) == customer_id:
                self._orders.add(recorded.order_id)
            if recorded.order_id not in self._orders:
                return False
        return self._filter.takes(recorded)
