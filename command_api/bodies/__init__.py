"""What a client may send: one strict model per command, and the domain's command it becomes.

`COMMANDS` is the list of all; a new command is one class here and nothing else in this package.
"""

from pydantic import Field, TypeAdapter

from command_api.bodies.amendments import (
    ApproveAmendment,
    DeclineAmendment,
    ProposeAmendment,
    WithdrawAmendment,
)
from command_api.bodies.body import Beginning, Body, kebab
from command_api.bodies.drafts import (
    AddLine,
    ApplyDiscount,
    ChangeLineQuantity,
    CreateDraft,
    Place,
    RemoveDiscount,
    RemoveLine,
    Reprice,
    SelectShipping,
    SetAddresses,
)
from command_api.bodies.goods import (
    ApproveReturn,
    CancelShipment,
    CloseReturn,
    CreateShipment,
    DispatchShipment,
    ReceiveReturnItems,
    RecordAllocation,
    RecordBackorder,
    RecordDelivery,
    RecordDeliveryFailure,
    RejectReturn,
    RequestReturn,
    UpdateTracking,
)
from command_api.bodies.lifecycle import (
    Accept,
    AddNote,
    Archive,
    Cancel,
    CancelLines,
    Complete,
    CorrectContact,
    EraseCustomerData,
    Expire,
    Hold,
    ImportOrder,
    PlaceOrder,
    Reject,
    ReleaseHold,
)
from command_api.bodies.payments import (
    ExpireAuthorisation,
    RecordAuthorisation,
    RecordAuthorisationFailure,
    RecordCapture,
    RecordCaptureFailure,
    RecordChargeback,
    RecordRefund,
    RecordRefundFailure,
    RequestAuthorisation,
    RequestCapture,
    RequestRefund,
    VoidAuthorisation,
)
from command_api.fields import OrderId
from command_api.parts import Part

BEGINNINGS: tuple[type[Beginning], ...] = (PlaceOrder, CreateDraft, ImportOrder)
_ALL: tuple[type[Body], ...] = (
    *BEGINNINGS,
    Accept,
    Reject,
    Expire,
    Hold,
    ReleaseHold,
    CancelLines,
    Cancel,
    Complete,
    Archive,
    AddNote,
    CorrectContact,
    EraseCustomerData,
    AddLine,
    ChangeLineQuantity,
    RemoveLine,
    SetAddresses,
    SelectShipping,
    ApplyDiscount,
    RemoveDiscount,
    Reprice,
    Place,
    ProposeAmendment,
    ApproveAmendment,
    DeclineAmendment,
    WithdrawAmendment,
    RequestAuthorisation,
    RecordAuthorisation,
    RecordAuthorisationFailure,
    ExpireAuthorisation,
    VoidAuthorisation,
    RequestCapture,
    RecordCapture,
    RecordCaptureFailure,
    RequestRefund,
    RecordRefund,
    RecordRefundFailure,
    RecordChargeback,
    RecordAllocation,
    RecordBackorder,
    CreateShipment,
    DispatchShipment,
    UpdateTracking,
    RecordDelivery,
    RecordDeliveryFailure,
    CancelShipment,
    RequestReturn,
    ApproveReturn,
    RejectReturn,
    ReceiveReturnItems,
    CloseReturn,
)
COMMANDS: dict[str, type[Body]] = {body.command_name: body for body in _ALL}


class BatchItem(Part):
    """One command of a batch; `data` is validated as the command's own body."""

    command: str = Field(max_length=100)
    order_id: OrderId | None = None
    idempotency_key: str | None = Field(None, min_length=1, max_length=255, pattern=r"^[!-~]+$")
    expected_version: int | None = Field(None, ge=0, le=2**31)
    data: dict[str, object] = Field(default_factory=dict)


BATCH_ITEM: TypeAdapter[BatchItem] = TypeAdapter(BatchItem)

__all__ = ["BATCH_ITEM", "BEGINNINGS", "COMMANDS", "BatchItem", "Beginning", "Body", "kebab"]
