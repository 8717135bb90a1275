"""Who was told what of which write: the judge of what is stored afterwards."""

import asyncio
import itertools
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from plumbline_tests.faults.database import Database
from plumbline_tests.faults.service import Service
from plumbline_tests.faults.visits import write
from plumbline_tests.faults.wire import Answer, NotSent, Unanswered
from plumbline_tests.faults.writers import WRITERS, signed_in
from plumbline_tests.waiting import until

NOTHING_STORED, OUTCOME_UNKNOWN = "/problems/unavailable", "/problems/outcome-unknown"
BACK_OFF_SECONDS = 0.02  # of a client that was refused


@dataclass
class Ledger:
    """Titles of books by what their writer knows of them."""

    prefix: str
    acked: set[str] = field(default_factory=set)
    failed: set[str] = field(default_factory=set)
    unknown: set[str] = field(default_factory=set)
    surprises: list[Answer] = field(default_factory=list)
    is_closed: bool = False

    def note(self, title: str, answer: Answer) -> None:
        if answer.status == 201:
            self.acked.add(title)
        elif answer.status == 503 and answer.problem == NOTHING_STORED:
            self.failed.add(title)
        elif answer.status == 503 and answer.problem == OUTCOME_UNKNOWN:
            self.unknown.add(title)
        else:
            self.surprises.append(answer)

    async def grow(self, by: int) -> None:
        """Wait for so many more acknowledged writes."""
        enough = len(self.acked) + by
        await until(lambda: len(self.acked) >= enough)

    def judge(self, database: Database) -> "Verdict":
        sql = "SELECT title FROM books WHERE starts_with(title, %s)"
        stored = Counter(title for (title,) in database.query(sql, self.prefix))
        return Verdict(
            lost=len(self.acked - stored.keys()),
            stored_though_refused=len(self.failed & stored.keys()),
            stored_twice=sum(count > 1 for count in stored.values()),
            surprises=self.surprises,
        )


@dataclass
class Verdict:
    """How many writes are not as their writer was told; `surprises` are no honest answers."""

    lost: int = 0
    stored_though_refused: int = 0
    stored_twice: int = 0
    surprises: list[Answer] = field(default_factory=list)


@asynccontextmanager
async def writing(service: Service, prefix: str) -> AsyncIterator[Ledger]:
    """All writers write; at the end each finishes its request."""
    ledger = Ledger(prefix)
    async with asyncio.TaskGroup() as group:
        for name in WRITERS:
            group.create_task(_write_on(service, name, ledger))
        try:
            yield ledger
        finally:
            ledger.is_closed = True


async def _write_on(service: Service, name: str, ledger: Ledger) -> None:
    wire = service.wire(signed_in(name))
    for number in itertools.count():
        if ledger.is_closed:
            break
        title = f"{ledger.prefix} {name} {number}"
        try:
            ledger.note(title, await write(wire, title))
        except NotSent:
            ledger.failed.add(title)
        except Unanswered:
            ledger.unknown.add(title)
        if title not in ledger.acked:
            await asyncio.sleep(BACK_OFF_SECONDS)
    wire.close()
