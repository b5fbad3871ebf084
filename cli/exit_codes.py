"""What a verb's exit code says. Scripts depend on these numbers; they never change meaning."""

DONE = 0
FAILED = 1
USAGE = 2
UNHEALTHY = 3  # not running, not ready, or lagging over the limit
INCOMPATIBLE = 4  # schema or topic is not what this release needs
VERIFICATION_FAILED = 5
INTERRUPTED = 130
