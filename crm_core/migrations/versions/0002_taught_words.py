"""Words that people teach."""

import sqlalchemy as sa
from alembic import op

from crm_core.database import BigKey, UtcDateTime

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table of taught words."""
    op.create_table(
        "taught_word",
        sa.Column("id", BigKey, nullable=False),
        sa.Column("phrase", sa.String(length=80), nullable=False),
        sa.Column("meaning", sa.String(length=300), nullable=False),
        sa.Column("user_id", BigKey, nullable=True),
        sa.Column("taught_by", BigKey, nullable=True),
        sa.Column("taught_at", UtcDateTime, nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["user_account.id"], name=op.f("fk_taught_word_user_id_user_account")),
        sa.ForeignKeyConstraint(["taught_by"], ["user_account.id"], name=op.f("fk_taught_word_taught_by_user_account")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_taught_word")),
        sa.UniqueConstraint("phrase", "user_id", name=op.f("uq_taught_word_phrase_user_id")),
    )
    op.create_index(op.f("ix_taught_word_user_id"), "taught_word", ["user_id"], unique=False)


def downgrade() -> None:
    """Drop it."""
    op.drop_table("taught_word")
