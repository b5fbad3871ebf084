"""Bodies of the commands that ask the payment provider (PSP), and that tell what it said."""

from command_api.bodies.body import Body
from command_api.fields import Id, Minor, Moment, Positive, Reason, microseconds
from domain import commands


class RequestAuthorisation(Body):
    """Ask the payment provider (PSP) to set money aside."""

    payment_id: Id
    amount_minor: Positive
    method: Id | None = None

    def command(self) -> commands.RequestAuthorisation:
        """Return the domain's command."""
        return commands.RequestAuthorisation(self.payment_id, self.amount_minor, self.method)


class RecordAuthorisation(Body):
    """Tell that the PSP set money aside."""

    payment_id: Id
    psp_reference: Id
    amount_minor: Minor
    expires_at: Moment | None = None

    def command(self) -> commands.RecordAuthorisation:
        """Return the domain's command."""
        expires_at_us = None if self.expires_at is None else microseconds(self.expires_at)
        return commands.RecordAuthorisation(
            self.payment_id, self.psp_reference, self.amount_minor, expires_at_us
        )


class RecordAuthorisationFailure(Body):
    """Tell that the PSP said no."""

    payment_id: Id
    psp_reference: Id
    reason: Reason

    def command(self) -> commands.RecordAuthorisationFailure:
        """Return the domain's command."""
        return commands.RecordAuthorisationFailure(self.payment_id, self.psp_reference, self.reason)


class ExpireAuthorisation(Body):
    """Tell that the PSP holds the money no longer."""

    payment_id: Id

    def command(self) -> commands.ExpireAuthorisation:
        """Return the domain's command."""
        return commands.ExpireAuthorisation(self.payment_id)


class VoidAuthorisation(Body):
    """Give free what was set aside and not taken."""

    payment_id: Id

    def command(self) -> commands.VoidAuthorisation:
        """Return the domain's command."""
        return commands.VoidAuthorisation(self.payment_id)


class RequestCapture(Body):
    """Ask the PSP to take authorised money; `capture_id` is the PSP's idempotency key."""

    payment_id: Id
    capture_id: Id
    amount_minor: Positive

    def command(self) -> commands.RequestCapture:
        """Return the domain's command."""
        return commands.RequestCapture(self.payment_id, self.capture_id, self.amount_minor)


class RecordCapture(Body):
    """Tell that the PSP took money."""

    payment_id: Id
    capture_id: Id
    psp_reference: Id
    amount_minor: Minor

    def command(self) -> commands.RecordCapture:
        """Return the domain's command."""
        return commands.RecordCapture(
            self.payment_id, self.capture_id, self.psp_reference, self.amount_minor
        )


class RecordCaptureFailure(Body):
    """Tell that the PSP could not take the money."""

    payment_id: Id
    capture_id: Id
    psp_reference: Id
    reason: Reason

    def command(self) -> commands.RecordCaptureFailure:
        """Return the domain's command."""
        return commands.RecordCaptureFailure(
            self.payment_id, self.capture_id, self.psp_reference, self.reason
        )


class RequestRefund(Body):
    """Ask the PSP to give money back; `refund_id` is the PSP's idempotency key."""

    refund_id: Id
    payment_id: Id
    amount_minor: Positive
    reason: Reason | None = None

    def command(self) -> commands.RequestRefund:
        """Return the domain's command."""
        return commands.RequestRefund(
            self.refund_id, self.payment_id, self.amount_minor, self.reason
        )


class RecordRefund(Body):
    """Tell that the PSP gave money back."""

    refund_id: Id
    psp_reference: Id
    amount_minor: Minor

    def command(self) -> commands.RecordRefund:
        """Return the domain's command."""
        return commands.RecordRefund(self.refund_id, self.psp_reference, self.amount_minor)


class RecordRefundFailure(Body):
    """Tell that the PSP could not give the money back."""

    refund_id: Id
    psp_reference: Id
    reason: Reason

    def command(self) -> commands.RecordRefundFailure:
        """Return the domain's command."""
        return commands.RecordRefundFailure(self.refund_id, self.psp_reference, self.reason)


class RecordChargeback(Body):
    """Tell that the customer's bank took money back."""

    payment_id: Id
    psp_reference: Id
    amount_minor: Minor

    def command(self) -> commands.RecordChargeback:
        """Return the domain's command."""
        return commands.RecordChargeback(self.payment_id, self.psp_reference, self.amount_minor)
