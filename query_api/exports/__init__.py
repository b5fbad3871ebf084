"""The audit trail over HTTP: the one thing that the query API reads from the log itself."""
