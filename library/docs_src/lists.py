"""Lists: sorted, filtered, searched, paged, counted."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import Depends
from sqlalchemy import Computed, Index, func, select
from sqlalchemy.dialects.postgresql import TSVECTOR
from sqlalchemy.orm import Mapped, mapped_column

from docs_src.engine import Base, Db
from plumbline import Listing, ListRequest, resource
from plumbline.http.listing import CountedPage

WORDS = Computed("to_tsvector('english', title)", persisted=True)


class Task(Base):
    __tablename__ = "tasks"
    __table_args__ = (
        Index("ix_tasks_due_at_id", "due_at", "id"),
        Index("ix_tasks_words", "words", postgresql_using="gin"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, server_default=func.gen_random_uuid())
    title: Mapped[str]
    due_at: Mapped[datetime | None]
    project_id: Mapped[int]
    words: Mapped[str] = mapped_column(TSVECTOR, WORDS, deferred=True)


@dataclass(slots=True)
class TaskRead:
    id: UUID
    title: str
    due_at: datetime | None


router = resource("tasks")
TASKS = Listing(Task.id, Task.due_at, default="-due_at", max_total=10_000)


@router.get("")
async def list_tasks(
    db: Db,
    asked: Annotated[ListRequest, Depends(TASKS)],
    project_id: int | None = None,
    words: str | None = None,
) -> CountedPage[TaskRead]:
    rows = select(Task.id, Task.title, Task.due_at)
    if project_id is not None:
        rows = rows.where(Task.project_id == project_id)
    if words is not None:
        query = func.websearch_to_tsquery("english", words)
        rows = rows.where(Task.words.bool_op("@@")(query))
    return await asked.page(db, rows, TaskRead)
