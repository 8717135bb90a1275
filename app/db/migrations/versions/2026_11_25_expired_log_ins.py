"""expired log-ins."""

from alembic import op

revision = "b0ea7c237bbb"
down_revision = "51dc7050fdd2"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(
        op.f("ix_access_tokens_expires_at"), "access_tokens", ["expires_at"], unique=False
    )
    op.create_index(
        op.f("ix_access_tokens_last_used_at"), "access_tokens", ["last_used_at"], unique=False
    )


def downgrade() -> None:
    op.drop_index(op.f("ix_access_tokens_last_used_at"), table_name="access_tokens")
    op.drop_index(op.f("ix_access_tokens_expires_at"), table_name="access_tokens")
