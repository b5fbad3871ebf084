"""What is asked of the payment provider, and what it tells: each fact kept, and counted once."""

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from domain.commands import (
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

from .model import MAYBE, NEW, NO, SAME, TEXTS, Naive

PAYMENTS = st.sampled_from(["p-1", "p-2"])
CAPTURES = st.sampled_from(["k-1", "k-2", "k-3"])
REFUNDS = st.sampled_from(["f-1", "f-2", "f-3"])
REFERENCES = st.sampled_from(["r-1", "r-2", "r-3", "r-4"])
AMOUNTS = st.sampled_from([0, 1, 250, 500, 1000])


class Money:
    def is_payment(self, payment):
        """Whether anything was ever heard of this payment."""
        captures = {*self.captures_asked, *self.captures_told, *self.captures_failed}
        return (
            payment in self.asked
            or any(key[0] == payment for key in self.told)
            or any(key[1] == payment for key in captures)
        )

    @precondition(Naive.is_placed)
    @rule(payment=PAYMENTS, amount=AMOUNTS, method=MAYBE)
    def request_authorisation(self, payment, amount, method):
        expected = NEW if self.is_open() and amount > 0 else NO
        if self.is_payment(payment):
            expected = SAME if self.asked.get(payment) == (amount, method) else NO
        if self.send(RequestAuthorisation(payment, amount, method), expected):
            self.asked[payment] = (amount, method)

    def tell(self, command, kind, amount):
        """A PSP fact can always be recorded, once."""
        key = (command.payment_id, kind, command.psp_reference)
        expected = NEW if key not in self.told else SAME if self.told[key] == amount else NO
        is_new = self.send(command, expected)
        self.told.setdefault(key, amount)
        return is_new

    @precondition(Naive.is_placed)
    @rule(payment=PAYMENTS, reference=REFERENCES, amount=AMOUNTS)
    def record_authorisation(self, payment, reference, amount):
        self.tell(RecordAuthorisation(payment, reference, amount), "authorised", amount)

    @precondition(Naive.is_placed)
    @rule(payment=PAYMENTS, reference=REFERENCES, reason=TEXTS)
    def record_authorisation_failure(self, payment, reference, reason):
        self.tell(RecordAuthorisationFailure(payment, reference, reason), "failed", 0)

    @precondition(Naive.is_placed)
    @rule(payment=PAYMENTS, is_void=st.booleans())
    def release_authorisation(self, payment, is_void):
        expected = NEW if self.releasable(payment) else SAME
        if not self.is_payment(payment):
            expected = NO
        if expected == NEW and is_void and self.capture_open(payment):
            expected = NO
        command = VoidAuthorisation(payment) if is_void else ExpireAuthorisation(payment)
        if self.send(command, expected):
            self.released[payment] += self.releasable(payment)

    def capture_open(self, payment=None):
        return sum(
            amount
            for (capture, where), amount in self.captures_asked.items()
            if payment in {None, where}
            and (capture, where) not in self.captures_told
            and (capture, where) not in self.captures_failed
        )

    @precondition(Naive.is_placed)
    @rule(payment=PAYMENTS, capture=CAPTURES, amount=AMOUNTS)
    def request_capture(self, payment, capture, amount):
        used = self.sum_told("captured", payment) + self.capture_open(payment)
        is_covered = self.is_payment(payment) and used + amount <= self.authorised(payment)
        expected = NEW if self.is_open() and amount > 0 and is_covered else NO
        known = dict.fromkeys(self.captures_failed) | self.captures_told | self.captures_asked
        if any(key == capture for key, _ in known):
            expected = SAME if known.get((capture, payment)) == amount else NO
        if self.send(RequestCapture(payment, capture, amount), expected):
            self.captures_asked[capture, payment] = amount

    @precondition(Naive.is_placed)
    @rule(payment=PAYMENTS, capture=CAPTURES, reference=REFERENCES, amount=AMOUNTS)
    def record_capture(self, payment, capture, reference, amount):
        if self.tell(RecordCapture(payment, capture, reference, amount), "captured", amount):
            self.captures_told[capture, payment] += amount

    @precondition(Naive.is_placed)
    @rule(payment=PAYMENTS, capture=CAPTURES, reference=REFERENCES)
    def record_capture_failure(self, payment, capture, reference):
        command = RecordCaptureFailure(payment, capture, reference, "x")
        if self.tell(command, "capture failed", 0):
            self.captures_failed.add((capture, payment))

    @precondition(Naive.is_placed)
    @rule(payment=PAYMENTS, reference=REFERENCES, amount=AMOUNTS)
    def record_chargeback(self, payment, reference, amount):
        self.tell(RecordChargeback(payment, reference, amount), "charged back", amount)

    def refund_open(self, refund):
        is_answered = refund in self.refunds_told or refund in self.refunds_failed
        return 0 if is_answered else self.refunds_asked.get(refund, ("", 0, ""))[1]

    def left_to_refund(self, payment=None):
        """What was taken, and neither was given back nor may still be."""
        of_it = [refund for refund, where in self.refunds.items() if payment in {None, where}]
        given = sum(self.refunds_told[refund] + self.refund_open(refund) for refund in of_it)
        kept = self.sum_told("captured", payment) - self.sum_told("charged back", payment)
        return kept - given

    @precondition(Naive.is_placed)
    @rule(refund=REFUNDS, payment=PAYMENTS, amount=AMOUNTS, reason=MAYBE)
    def request_refund(self, refund, payment, amount, reason):
        is_time = self.is_open() or self.lifecycle in {"CANCELLED", "REJECTED", "EXPIRED"}
        is_covered = self.is_payment(payment) and amount <= min(
            self.left_to_refund(), self.left_to_refund(payment)
        )
        expected = NEW if is_time and amount > 0 and is_covered else NO
        if refund in self.refunds_asked:
            is_same = self.refunds_asked[refund] == (payment, amount, reason)
            expected = SAME if is_same else NO
        elif refund in self.refunds:  # The PSP has told of it, and nobody had asked.
            known = self.refunds_told.get(refund, None)
            expected = SAME if known == amount else NO
        if self.send(RequestRefund(refund, payment, amount, reason), expected):
            self.refunds_asked[refund] = (payment, amount, reason)
            self.refunds[refund] = payment

    def tell_refund(self, command, kind, amount):
        payment = self.refunds.get(command.refund_id)
        known = [
            was
            for (what, where, reference), was in self.refund_facts.items()
            if (what, reference) == (kind, command.psp_reference)
            and (where == payment or None in {where, payment})
        ]
        expected = NEW if not known else SAME if known[0] == amount else NO
        if not self.send(command, expected):
            return False
        self.refunds.setdefault(command.refund_id, None)
        self.refund_facts[kind, payment, command.psp_reference] = amount
        return True

    @precondition(Naive.is_placed)
    @rule(refund=REFUNDS, reference=REFERENCES, amount=AMOUNTS)
    def record_refund(self, refund, reference, amount):
        if self.tell_refund(RecordRefund(refund, reference, amount), "refunded", amount):
            self.refunds_told[refund] += amount

    @precondition(Naive.is_placed)
    @rule(refund=REFUNDS, reference=REFERENCES)
    def record_refund_failure(self, refund, reference):
        if self.tell_refund(RecordRefundFailure(refund, reference, "x"), "failed", 0):
            self.refunds_failed.add(refund)

    def is_money_open(self):
        return bool(
            self.capture_open()
            or any(self.refund_open(refund) for refund in self.refunds_asked)
            or any(self.releasable(payment) for payment in ("p-1", "p-2"))
        )
