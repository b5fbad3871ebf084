"""One file per read model: its table and its pure function."""
