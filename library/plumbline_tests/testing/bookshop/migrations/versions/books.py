"""books, and lines of orders."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "books"
down_revision = None


def upgrade() -> None:
    op.execute("CREATE SCHEMA shop")
    sa.Enum("novel", "poems", name="genre", schema="shop").create(op.get_bind())
    genre = postgresql.ENUM("novel", "poems", name="genre", schema="shop", create_type=False)
    op.create_table(
        "books",
        sa.Column("isbn", sa.String(13), nullable=False),
        sa.Column("title", sa.String(200), nullable=False),
        sa.Column("price", sa.Numeric(10, 2), nullable=False),
        sa.Column("published_on", sa.Date(), nullable=False),
        sa.Column("edition", sa.Uuid(), nullable=False),
        sa.Column("genre", genre, nullable=False),
        sa.Column("tags", postgresql.ARRAY(sa.String(20)), nullable=False),
        sa.Column("details", postgresql.JSONB(), nullable=False),
        sa.Column("last_order_id", sa.BigInteger()),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("updated_at", sa.DateTime(timezone=True)),
        sa.CheckConstraint("isbn ~ '^[0-9]{13}$'", name=op.f("ck_books_isbn")),
        sa.PrimaryKeyConstraint("isbn", name=op.f("pk_books")),
        sa.UniqueConstraint("edition", name=op.f("uq_books_edition")),
        schema="shop",
    )
    op.create_table(
        "Order Lines",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("isbn", sa.String(13), nullable=False),
        sa.ForeignKeyConstraint(
            ["isbn"],
            ["shop.books.isbn"],
            name=op.f("fk_Order Lines_isbn_books"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_Order Lines")),
        schema="shop",
    )
    op.create_index(op.f("ix_Order Lines_isbn"), "Order Lines", ["isbn"], schema="shop")
    op.create_foreign_key(
        op.f("fk_books_last_order_id_Order Lines"),
        "books",
        "Order Lines",
        ["last_order_id"],
        ["id"],
        source_schema="shop",
        referent_schema="shop",
    )
    op.create_index(op.f("ix_books_last_order_id"), "books", ["last_order_id"], schema="shop")


def downgrade() -> None:
    op.drop_constraint(op.f("fk_books_last_order_id_Order Lines"), "books", schema="shop")
    op.drop_table("Order Lines", schema="shop")
    op.drop_table("books", schema="shop")
    sa.Enum(name="genre", schema="shop").drop(op.get_bind())
    op.execute("DROP SCHEMA shop")
