"""One file per read model: its table and its pure function."""

from collections.abc import Mapping

from projectors.kinds import Projection
from projectors.read_models import customers, orders, revenue, timeline

PROJECTIONS: Mapping[str, Projection] = {
    projection.name: projection
    for projection in (
        orders.PROJECTION,
        timeline.PROJECTION,
        customers.PROJECTION,
        revenue.PROJECTION,
    )
}
