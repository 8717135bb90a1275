"""Changes of tables that are used meanwhile, each in steps that are in nobody's way."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from plumbline import in_batches


class Base(DeclarativeBase):
    pass


class Account(Base):
    __tablename__ = "accounts"

    id: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True)
    name: Mapped[str] = mapped_column(sa.Text)
    full_name: Mapped[str | None] = mapped_column(sa.Text)


def expand() -> None:
    op.add_column("accounts", sa.Column("full_name", sa.Text))


async def backfill(sessions: async_sessionmaker[AsyncSession]) -> None:
    rows = select(Account.id).where(Account.full_name.is_(None))
    async for ids in in_batches(sessions, rows, Account.id, int):
        async with sessions.begin() as db:
            mine = Account.id.between(ids[0], ids[-1]), Account.full_name.is_(None)
            await db.execute(update(Account).where(*mine).values(full_name=Account.name))


# Contract, when no running release uses the old one:
SAFE = {"drop-column accounts.name": "no release since 2.3 reads or writes it"}


def contract() -> None:
    op.drop_column("accounts", "name")


def rename_table() -> None:
    op.rename_table("accounts", "customers")
    op.execute("CREATE VIEW accounts AS SELECT * FROM customers")


def add_required() -> None:
    op.add_column(
        "accounts", sa.Column("logins", sa.BigInteger, server_default="0", nullable=False)
    )


def set_not_null() -> None:
    with op.get_context().autocommit_block():
        op.execute("ALTER TABLE accounts DROP CONSTRAINT IF EXISTS is_there")
        op.execute(
            "ALTER TABLE accounts ADD CONSTRAINT is_there CHECK (kind IS NOT NULL) NOT VALID"
        )
        op.execute("ALTER TABLE accounts VALIDATE CONSTRAINT is_there")
        op.alter_column("accounts", "kind", nullable=False)
        op.execute("ALTER TABLE accounts DROP CONSTRAINT IF EXISTS is_there")


def add_index() -> None:
    with op.get_context().autocommit_block():
        op.drop_index("ix_kind", "accounts", if_exists=True, postgresql_concurrently=True)
        op.create_index("ix_kind", "accounts", ["kind"], postgresql_concurrently=True)


def add_unique() -> None:
    name, table = "uq_email", "accounts"
    with op.get_context().autocommit_block():
        op.drop_constraint(name, table, if_exists=True)
        op.drop_index(name, table, if_exists=True, postgresql_concurrently=True)
        op.create_index(name, table, ["email"], unique=True, postgresql_concurrently=True)
        op.execute(f"ALTER TABLE {table} ADD CONSTRAINT {name} UNIQUE USING INDEX {name}")


def add_foreign_key() -> None:
    name, table, columns = "fk_owner", "accounts", (["owner_id"], ["id"])
    with op.get_context().autocommit_block():
        op.drop_constraint(name, table, if_exists=True)
        op.create_foreign_key(name, table, "owners", *columns, postgresql_not_valid=True)
        op.execute(f"ALTER TABLE {table} VALIDATE CONSTRAINT {name}")
