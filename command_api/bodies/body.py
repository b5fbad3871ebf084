"""What the body of every command has in common."""

import re
from abc import abstractmethod
from typing import ClassVar

from command_api.fields import OrderId
from command_api.parts import Part
from domain import commands


def kebab(name: str) -> str:
    """Return `record-capture` for `RecordCapture`, and kebab-case as it is."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "-", name).lower()


class Body(Part):
    """The data of one command."""

    command_name: ClassVar[str]
    """The command's name in a path, for example `record-capture`."""
    creates: ClassVar[bool] = False
    """True: the command begins an order, and has a route of its own."""

    @classmethod
    def __pydantic_init_subclass__(cls, **_: object) -> None:
        cls.command_name = kebab(cls.__name__)

    @abstractmethod
    def command(self) -> commands.OrderCommand:
        """Return the domain's command."""

    @property
    def occurred_at_us(self) -> int | None:
        """When it happened, where the body says so; None: now."""
        return None


class Beginning(Body):
    """The data of a command that begins an order."""

    route: ClassVar[str]
    """Where it is sent to."""
    creates = True

    order_id: OrderId | None = None
