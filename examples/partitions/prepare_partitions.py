"""Prepare partitions of posts, by their ids, and of the record, by time."""

from alembic import op

from examples.partitions.bounds import first_id, first_month
from plumbline.db.partitioning import prepare

revision = "8c2f5e0d6a41"
down_revision = "b0ea7c237bbb"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.get_context().autocommit_block():
        connection = op.get_bind()
        prepare(connection, "posts", "id", first_id(connection))
        prepare(connection, "audit_events", "at", first_month())


def downgrade() -> None:
    with op.get_context().autocommit_block():
        op.execute("ALTER TABLE posts DROP CONSTRAINT posts_bound")
        op.execute("ALTER TABLE audit_events DROP CONSTRAINT audit_events_bound")
        op.execute("DROP INDEX CONCURRENTLY pk_audit_events_first")
