"""One projection's rebuild on its way, and why it may end."""

from collections.abc import Mapping
from dataclasses import dataclass

from projectors import generations
from projectors.checkpoints import Place
from projectors.kinds import Projection, Tally
from projectors.replay import parity


class RebuildRefused(Exception):  # noqa: N818 - the name is the state
    """Another rebuild of the projection is running, or the live projector cannot be caught."""


class ParityFailed(Exception):  # noqa: N818
    """The new generation differs from the live one though its function has not changed.

    It was dropped; the live one is untouched. `report` has the rows.
    """

    def __init__(self, report: parity.Report) -> None:
        super().__init__(
            f"the rebuilt {report.projection} differs from the live one: {report.old_rows} rows "
            f"live, {report.new_rows} rows rebuilt, {report.differing_buckets} of 256 groups of "
            "keys differ. The live one is still served. If the function was changed on purpose, "
            "raise its version; if not, either the function or the live rows are wrong: run "
            "`orderlog verify --all`"
        )
        self.report = report


@dataclass(slots=True)
class Built:
    """One projection's rebuild. `old` None: there was nothing live to compare with."""

    projection: Projection
    place: Place
    old: generations.Generation | None
    targets: Mapping[int, int]
    report: parity.Report | None = None
    is_live: bool = False

    @property
    def is_comparable(self) -> bool:
        """Tell whether the rows must be the same: of one function, and of the same orders.

        Sums over orders cannot be told apart by order, so those that were parked make them differ.
        """
        is_same = self.old is not None and (
            self.old.function_version == self.projection.function_version
        )
        has_more = self.report is not None and bool(self.report.taken_up)
        return is_same and not (has_more and isinstance(self.projection, Tally))
