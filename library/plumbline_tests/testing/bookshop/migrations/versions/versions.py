"""versions of books."""

import sqlalchemy as sa
from alembic import op

revision = "versions"
down_revision = "books"


def upgrade() -> None:
    version = sa.Column("version", sa.BigInteger(), server_default=sa.text("1"), nullable=False)
    op.add_column("books", version, schema="shop")


def downgrade() -> None:
    op.drop_column("books", "version", schema="shop")
