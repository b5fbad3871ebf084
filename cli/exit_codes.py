"""What a verb's exit code says. Scripts depend on these numbers; they never change meaning."""

from collections.abc import Mapping

DONE = 0
FAILED = 1
USAGE = 2
UNHEALTHY = 3  # not running, not ready, or lagging over the limit
INCOMPATIBLE = 4  # schema or topic is not what this release needs
VERIFICATION_FAILED = 5
INTERRUPTED = 130


def explained(meanings: Mapping[int, str]) -> str:
    """Write the last paragraph of a verb's help; every verb has the codes 0 and 2."""
    all_of_them = {DONE: "done", USAGE: "wrong usage or setting", **meanings}
    listed = "; ".join(f"{code} {meaning}" for code, meaning in sorted(all_of_them.items()))
    return f"\nExit codes: {listed}."
