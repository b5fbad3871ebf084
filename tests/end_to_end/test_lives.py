"""Whole lives through the running stack: what was captured, refunded and is open, to the cent."""

import json

ORDERS = 300
SEED = (
    "seed",
    "--dataset",
    "completejourney",
    "--orders",
    str(ORDERS),
    "--lifecycle",
    "-o",
    "json",
)


def test_real_baskets_live_and_are_reconciled_after_a_rebuild_as_well(stack):
    sent = json.loads(stack.cli(*SEED).stdout)
    stack.cli("rebuild")
    again = json.loads(stack.cli(*SEED).stdout)
    stack.cli("verify", "--all")

    assert (sent["orders"], sent["replayed"], sent["refused"]) == (ORDERS, 0, 0)
    assert again["replayed"] == ORDERS
    for told in (sent, again):
        assert told["reconciliation"]["is_equal"] is True
        assert told["reconciliation"]["revenue_differs"] == []
    served = again["reconciliation"]["served"]["USD"]
    assert served == sent["reconciliation"]["served"]["USD"]
    assert served["captured_minor"] > served["refunded_minor"] > 0
    assert served["open_minor"] != 0
