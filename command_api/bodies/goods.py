"""Bodies of the commands about stock, parcels and returns."""

from pydantic import Field

from command_api.bodies.body import Body
from command_api.fields import Id, Moment, Reason, microseconds
from command_api.parts import LineQuantity, ReceivedLine, pieces
from domain import commands


class RecordAllocation(Body):
    """Tell that pieces are set aside in the stock."""

    lines: tuple[LineQuantity, ...] = Field(min_length=1, max_length=1_000)

    def command(self) -> commands.RecordAllocation:
        """Return the domain's command."""
        return commands.RecordAllocation(pieces(self.lines))


class RecordBackorder(Body):
    """Tell that pieces are not in stock and come later."""

    lines: tuple[LineQuantity, ...] = Field(min_length=1, max_length=1_000)

    def command(self) -> commands.RecordBackorder:
        """Return the domain's command."""
        return commands.RecordBackorder(pieces(self.lines))


class CreateShipment(Body):
    """Put pieces together for one parcel."""

    shipment_id: Id
    lines: tuple[LineQuantity, ...] = Field(min_length=1, max_length=1_000)
    carrier: Id | None = None

    def command(self) -> commands.CreateShipment:
        """Return the domain's command."""
        return commands.CreateShipment(self.shipment_id, pieces(self.lines), self.carrier)


class DispatchShipment(Body):
    """Let the parcel leave."""

    shipment_id: Id
    tracking_number: Id | None = None

    def command(self) -> commands.DispatchShipment:
        """Return the domain's command."""
        return commands.DispatchShipment(self.shipment_id, self.tracking_number)


class UpdateTracking(Body):
    """Tell where the parcel can be followed and what its carrier says of it."""

    shipment_id: Id
    tracking_number: Id
    status: Id | None = None

    def command(self) -> commands.UpdateTracking:
        """Return the domain's command."""
        return commands.UpdateTracking(self.shipment_id, self.tracking_number, self.status)


class RecordDelivery(Body):
    """Tell that the parcel arrived."""

    shipment_id: Id
    delivered_at: Moment | None = None

    def command(self) -> commands.RecordDelivery:
        """Return the domain's command."""
        return commands.RecordDelivery(self.shipment_id)

    @property
    def occurred_at_us(self) -> int | None:
        """When it arrived, where the body says so."""
        return None if self.delivered_at is None else microseconds(self.delivered_at)


class RecordDeliveryFailure(Body):
    """Tell that the parcel could not be handed over."""

    shipment_id: Id
    reason: Reason

    def command(self) -> commands.RecordDeliveryFailure:
        """Return the domain's command."""
        return commands.RecordDeliveryFailure(self.shipment_id, self.reason)


class CancelShipment(Body):
    """Take apart a parcel that has not left."""

    shipment_id: Id

    def command(self) -> commands.CancelShipment:
        """Return the domain's command."""
        return commands.CancelShipment(self.shipment_id)


class RequestReturn(Body):
    """Ask to send delivered pieces back."""

    return_id: Id
    lines: tuple[LineQuantity, ...] = Field(min_length=1, max_length=1_000)
    reason: Reason | None = None

    def command(self) -> commands.RequestReturn:
        """Return the domain's command."""
        return commands.RequestReturn(self.return_id, pieces(self.lines), self.reason)


class ApproveReturn(Body):
    """Agree to take the pieces back."""

    return_id: Id

    def command(self) -> commands.ApproveReturn:
        """Return the domain's command."""
        return commands.ApproveReturn(self.return_id)


class RejectReturn(Body):
    """Refuse to take the pieces back."""

    return_id: Id
    reason: Reason

    def command(self) -> commands.RejectReturn:
        """Return the domain's command."""
        return commands.RejectReturn(self.return_id, self.reason)


class ReceiveReturnItems(Body):
    """Tell that pieces came back."""

    return_id: Id
    lines: tuple[ReceivedLine, ...] = Field(min_length=1, max_length=1_000)

    def command(self) -> commands.ReceiveReturnItems:
        """Return the domain's command."""
        return commands.ReceiveReturnItems(
            self.return_id, tuple(line.value() for line in self.lines)
        )


class CloseReturn(Body):
    """Expect nothing more of this return."""

    return_id: Id

    def command(self) -> commands.CloseReturn:
        """Return the domain's command."""
        return commands.CloseReturn(self.return_id)
