"""Books have versions."""

import sqlalchemy as sa
from alembic import op

revision = "5d1c0ad3f7b2"
down_revision = "157e0dd5b5e9"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "books",
        sa.Column("version", sa.BigInteger(), server_default=sa.text("1"), nullable=False),
    )


def downgrade() -> None:
    op.drop_column("books", "version")
