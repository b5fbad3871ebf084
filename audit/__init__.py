"""Exports of the log that prove themselves, and their offline verification."""
