"""One transaction after the other: the fenced appender of a partition, and its producer."""
