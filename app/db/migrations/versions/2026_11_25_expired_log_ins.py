"""expired log-ins."""

from alembic import op

revision = "b0ea7c237bbb"
down_revision = "51dc7050fdd2"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.get_context().autocommit_block():
        for column in ("expires_at", "last_used_at"):
            name = op.f(f"ix_access_tokens_{column}")
            op.drop_index(
                name, table_name="access_tokens", if_exists=True, postgresql_concurrently=True
            )
            op.create_index(name, "access_tokens", [column], postgresql_concurrently=True)


def downgrade() -> None:
    op.drop_index(op.f("ix_access_tokens_last_used_at"), table_name="access_tokens")
    op.drop_index(op.f("ix_access_tokens_expires_at"), table_name="access_tokens")
