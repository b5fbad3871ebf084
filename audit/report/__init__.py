"""The audit trail of one order for people: one page, made from its events alone."""
