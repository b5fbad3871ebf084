"""Which rule answers which command. The rules themselves are one module per topic."""

from domain.commands import (
    Accept,
    AddLine,
    AddNote,
    AmendmentCommand,
    ApplyDiscount,
    ApproveAmendment,
    ApproveReturn,
    Archive,
    Cancel,
    CancelLines,
    CancelShipment,
    ChangeLineQuantity,
    CloseReturn,
    Complete,
    CorrectContact,
    CreateDraft,
    CreateShipment,
    DeclineAmendment,
    DispatchShipment,
    DraftCommand,
    EraseCustomerData,
    Expire,
    ExpireAuthorisation,
    GoodsCommand,
    Hold,
    ImportOrder,
    LifecycleCommand,
    OrderCommand,
    PaymentCommand,
    Place,
    PlaceOrder,
    ProposeAmendment,
    ReceiveReturnItems,
    RecordAllocation,
    RecordAuthorisation,
    RecordAuthorisationFailure,
    RecordBackorder,
    RecordCapture,
    RecordCaptureFailure,
    RecordChargeback,
    RecordDelivery,
    RecordDeliveryFailure,
    RecordRefund,
    RecordRefundFailure,
    Reject,
    RejectReturn,
    ReleaseHold,
    RemoveDiscount,
    RemoveLine,
    Reprice,
    RequestAuthorisation,
    RequestCapture,
    RequestRefund,
    RequestReturn,
    SelectShipping,
    SetAddresses,
    UpdateTracking,
    VoidAuthorisation,
    WithdrawAmendment,
)
from domain.decider import Decider
from domain.errors import NoSuchOrder
from domain.events import OrderEvent
from domain.order import Order, evolve
from domain.personal import sealed
from domain.rules import (
    amendments,
    cancellation,
    completion,
    customer_data,
    drafts,
    holds,
    imports,
    notes,
    placement,
    review,
)
from domain.rules.goods import returns, shipping, stock
from domain.rules.money import authorisations, captures, refunds

Events = list[OrderEvent]

_BEGINNINGS = (PlaceOrder, CreateDraft, ImportOrder)


def decide(state: Order, command: OrderCommand) -> Events:
    """Return the new facts that a command makes; `[]`: it is already so.

    Raises:
        OrderExists: the id is taken; a new order needs another one.
        NoSuchOrder: the order was never begun; check the id.
        Rejected: a rule says no; show its sentence to the person who asked.

    """
    if state.lifecycle is None and not isinstance(command, _BEGINNINGS):
        raise NoSuchOrder
    if isinstance(command, LifecycleCommand):
        return _decide_lifecycle(state, command)
    if isinstance(command, PaymentCommand):
        return _decide_payments(state, command)
    if isinstance(command, GoodsCommand):
        return _decide_goods(state, command)
    if isinstance(command, DraftCommand):
        return _decide_drafts(state, command)
    return _decide_amendments(state, command)


def _decide_lifecycle(state: Order, command: LifecycleCommand) -> Events:  # noqa: C901, PLR0912
    match command:
        case PlaceOrder():
            return placement.place_order(state, command)
        case ImportOrder():
            return imports.import_order(state, command)
        case Accept():
            return review.accept(state, command)
        case Reject():
            return review.reject(state, command)
        case Expire():
            return review.expire(state, command)
        case Hold():
            return holds.hold(state, command)
        case ReleaseHold():
            return holds.release_hold(state, command)
        case CancelLines():
            return cancellation.cancel_lines(state, command)
        case Cancel():
            return cancellation.cancel(state, command)
        case Complete():
            return completion.complete(state, command)
        case Archive():
            return completion.archive(state, command)
        case AddNote():
            return notes.add_note(state, command)
        case CorrectContact():
            return customer_data.correct_contact(state, command)
        case EraseCustomerData():
            return customer_data.erase_customer_data(state, command)


def _decide_payments(state: Order, command: PaymentCommand) -> Events:  # noqa: C901
    match command:
        case RequestAuthorisation():
            return authorisations.request_authorisation(state, command)
        case RecordAuthorisation():
            return authorisations.record_authorisation(state, command)
        case RecordAuthorisationFailure():
            return authorisations.record_authorisation_failure(state, command)
        case ExpireAuthorisation():
            return authorisations.expire_authorisation(state, command)
        case VoidAuthorisation():
            return authorisations.void_authorisation(state, command)
        case RequestCapture():
            return captures.request_capture(state, command)
        case RecordCapture():
            return captures.record_capture(state, command)
        case RecordCaptureFailure():
            return captures.record_capture_failure(state, command)
        case RequestRefund():
            return refunds.request_refund(state, command)
        case RecordRefund():
            return refunds.record_refund(state, command)
        case RecordRefundFailure():
            return refunds.record_refund_failure(state, command)
        case RecordChargeback():
            return refunds.record_chargeback(state, command)


def _decide_goods(state: Order, command: GoodsCommand) -> Events:  # noqa: C901, PLR0912
    match command:
        case RecordAllocation():
            return stock.record_allocation(state, command)
        case RecordBackorder():
            return stock.record_backorder(state, command)
        case CreateShipment():
            return shipping.create_shipment(state, command)
        case DispatchShipment():
            return shipping.dispatch_shipment(state, command)
        case UpdateTracking():
            return shipping.update_tracking(state, command)
        case RecordDelivery():
            return shipping.record_delivery(state, command)
        case RecordDeliveryFailure():
            return shipping.record_delivery_failure(state, command)
        case CancelShipment():
            return shipping.cancel_shipment(state, command)
        case RequestReturn():
            return returns.request_return(state, command)
        case ApproveReturn():
            return returns.approve_return(state, command)
        case RejectReturn():
            return returns.reject_return(state, command)
        case ReceiveReturnItems():
            return returns.receive_return_items(state, command)
        case CloseReturn():
            return returns.close_return(state, command)


def _decide_drafts(state: Order, command: DraftCommand) -> Events:  # noqa: C901
    match command:
        case CreateDraft():
            return drafts.create_draft(state, command)
        case AddLine():
            return drafts.add_line(state, command)
        case ChangeLineQuantity():
            return drafts.change_line_quantity(state, command)
        case RemoveLine():
            return drafts.remove_line(state, command)
        case SetAddresses():
            return drafts.set_addresses(state, command)
        case SelectShipping():
            return drafts.select_shipping(state, command)
        case ApplyDiscount():
            return drafts.apply_discount(state, command)
        case RemoveDiscount():
            return drafts.remove_discount(state, command)
        case Reprice():
            return drafts.reprice(state, command)
        case Place():
            return placement.place(state, command)


def _decide_amendments(state: Order, command: AmendmentCommand) -> Events:
    match command:
        case ProposeAmendment():
            return amendments.propose_amendment(state, command)
        case ApproveAmendment():
            return amendments.approve_amendment(state, command)
        case DeclineAmendment():
            return amendments.decline_amendment(state, command)
        case WithdrawAmendment():
            return amendments.withdraw_amendment(state, command)


DECIDER: Decider[Order, OrderCommand, OrderEvent] = Decider(Order(), decide, evolve, sealed)
