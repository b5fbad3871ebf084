"""Verbs about the read models: how far they are, what is parked, rebuild and verify."""
