"""Between command nodes: commands that are sent on, and partitions that are let go."""
