"""What a rule about a running database is: a function from the database to its faults."""

from collections.abc import Callable, Iterator

from plumbline.doctor.finding import Severity
from plumbline.doctor.live.database import Database
from plumbline.doctor.registry import Fault, Rule

Check = Callable[[Database], Iterator[Fault]]


def live_rule(code: str, severity: Severity, sentence: str) -> Callable[[Check], Rule]:
    """Make a rule of a function, whose name is the rule's."""

    def make(check: Check) -> Rule:
        return Rule(code, severity, sentence, check)

    return make
