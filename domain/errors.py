"""Why a command was refused. Refusals are answers, not faults: nothing was appended.

Refused
├── NoSuchOrder      the order does not exist: check the id
├── OrderExists      the id is taken by another request: choose another id
└── Rejected         a rule says no: `rule` is stable, the message is for people
"""


class Refused(Exception):  # noqa: N818 - a refusal is an answer, not an error
    """A command's own answer when it changes nothing."""


class NoSuchOrder(Refused):
    """The command needs an order that was never placed."""


class OrderExists(Refused):
    """Another request has already used this order id."""


class Rejected(Refused):
    """A rule of the order says no.

    `rule` is a stable kebab-case name for programs, for example `capture-exceeds-authorised`; the
    message is one sentence that a shop clerk understands.
    """

    def __init__(self, rule: str, sentence: str) -> None:
        super().__init__(sentence)
        self.rule = rule
        self.sentence = sentence
