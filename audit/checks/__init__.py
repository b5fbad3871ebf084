"""The parts of a verification: every event in its place, partition by partition."""
