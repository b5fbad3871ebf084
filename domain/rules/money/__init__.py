"""What may be asked of the payment provider (PSP), and what it tells."""
