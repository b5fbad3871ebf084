"""The group of command nodes: who should own which partition."""
