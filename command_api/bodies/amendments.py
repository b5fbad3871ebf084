"""Bodies of the commands that change what was ordered, after it was placed."""

from pydantic import Field

from command_api.bodies.body import Body
from command_api.fields import Id, Reason
from command_api.parts import Changes
from domain import commands


class ProposeAmendment(Body):
    """Propose other lines; the answer's event has the difference in price."""

    amendment_id: Id
    changes: Changes = Field(description="new lines, and other quantities of lines that are there")
    reason: Reason | None = None

    def command(self) -> commands.ProposeAmendment:
        """Return the domain's command."""
        return commands.ProposeAmendment(
            self.amendment_id,
            tuple(line.value() for line in self.changes.add_lines),
            tuple(line.value() for line in self.changes.quantities),
            self.reason,
        )


class ApproveAmendment(Body):
    """Let the proposal apply, whole."""

    amendment_id: Id

    def command(self) -> commands.ApproveAmendment:
        """Return the domain's command."""
        return commands.ApproveAmendment(self.amendment_id)


class DeclineAmendment(Body):
    """Say no to the proposal."""

    amendment_id: Id

    def command(self) -> commands.DeclineAmendment:
        """Return the domain's command."""
        return commands.DeclineAmendment(self.amendment_id)


class WithdrawAmendment(Body):
    """Take the proposal back."""

    amendment_id: Id

    def command(self) -> commands.WithdrawAmendment:
        """Return the domain's command."""
        return commands.WithdrawAmendment(self.amendment_id)
