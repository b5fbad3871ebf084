"""Who looked at the audit trail: written down before anything is given out."""
