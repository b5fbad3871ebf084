"""Pieces: in stock, on their way, and coming back."""
