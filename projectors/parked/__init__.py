"""Orders that a projection could not go on with: put aside by reference, and taken up again."""
