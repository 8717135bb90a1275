"""A mail after the commit, and an outbox for what must not be lost."""

import asyncio
from datetime import datetime
from email.message import EmailMessage
from smtplib import SMTP

from fastapi import FastAPI
from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from docs_src.engine import AsyncSessionFactory, Base, Db, Order
from plumbline import after_commit

app = FastAPI()


def send_mail(to: str, text: str) -> None:
    mail = EmailMessage()
    mail["To"] = to
    mail.set_content(text)
    with SMTP("mail.example.com", timeout=10) as server:
        server.send_message(mail)


@app.post("/orders", status_code=201)
async def create_order(db: Db, text: str) -> None:
    db.add(Order(text=text))
    after_commit(db, send_mail, "shop@example.com", f"A new order: {text}")


class OutgoingMail(Base):
    __tablename__ = "outgoing_mails"

    id: Mapped[int] = mapped_column(primary_key=True)
    to: Mapped[str]
    text: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


async def order_for_sure(db: AsyncSession, text: str) -> None:
    """The mail is stored with the order; after the commit somebody sends it, or the next turn."""
    db.add_all([Order(text=text), OutgoingMail(to="shop@example.com", text=text)])
    after_commit(db, send_outgoing)


_sending = asyncio.Lock()  # one connection, however many orders there are


async def send_outgoing() -> None:
    """Call it every minute too: it sends what a process that was killed has left.

    A mail that cannot be sent is in the way of the others: count its attempts in a real service.
    """
    async with _sending:
        while await _send_one():
            pass


async def _send_one() -> bool:
    """A mail is sent again when the process ends between it and the commit: at least once."""
    oldest = select(OutgoingMail).order_by(OutgoingMail.id).limit(1)
    async with AsyncSessionFactory.begin() as db:
        mail = await db.scalar(oldest.with_for_update(skip_locked=True))
        if mail is None:
            return False
        await asyncio.to_thread(send_mail, mail.to, mail.text)
        await db.execute(delete(OutgoingMail).where(OutgoingMail.id == mail.id))
    return True
