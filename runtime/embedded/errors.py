"""What can go wrong with the embedded stack, said with its remedy."""


class StackError(Exception):
    """The stack cannot start or be reached; the message names the cause and the remedy."""
