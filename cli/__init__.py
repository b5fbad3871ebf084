"""The `orderlog` command: one module per group of verbs."""
