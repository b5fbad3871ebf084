"""Giving money back, and what the bank takes back (invariants I8 to I11)."""

from domain.commands import RecordChargeback, RecordRefund, RecordRefundFailure, RequestRefund
from domain.events import OrderEvent
from domain.order import Order


def request_refund(state: Order, command: RequestRefund) -> list[OrderEvent]:
    raise NotImplementedError


def record_refund(state: Order, command: RecordRefund) -> list[OrderEvent]:
    raise NotImplementedError


def record_refund_failure(state: Order, command: RecordRefundFailure) -> list[OrderEvent]:
    raise NotImplementedError


def record_chargeback(state: Order, command: RecordChargeback) -> list[OrderEvent]:
    raise NotImplementedError
