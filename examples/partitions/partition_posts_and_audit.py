"""Partition posts and the record; goes out with the models that say the same."""

from alembic import op

from examples.partitions.bounds import first_id, first_month, make_ahead
from plumbline.db.partitioning import partition

revision = "d41b7a9c3e58"
down_revision = "8c2f5e0d6a41"
branch_labels = None
depends_on = None

SAFE = {
    "drop-unique pk_audit_events": "no ON CONFLICT asks for it: rows are only added",
    "foreign-key fk_posts_author_id_users": "the partitions that get it are empty",
}


def upgrade() -> None:
    connection = op.get_bind()
    partition(connection, "posts", "id", first_id(connection))
    partition(connection, "audit_events", "at", first_month())
    make_ahead(connection)


def downgrade() -> None:
    raise NotImplementedError("rows of later partitions would have to move: restore a backup")
