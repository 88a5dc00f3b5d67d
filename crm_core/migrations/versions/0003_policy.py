"""Policies of the company, and proposals that a correction replaced."""

import sqlalchemy as sa
from alembic import op

from crm_core.database import BigKey, UtcDateTime

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_STATES = "'proposed', 'applied', 'refused', 'expired', 'conflict', 'undone'"


def upgrade() -> None:
    """Create the table of policies; change sets can be replaced and say what they replace."""
    op.create_table(
        "policy",
        sa.Column("id", BigKey, nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("set_by", BigKey, nullable=True),
        sa.Column("set_at", UtcDateTime, nullable=False),
        sa.ForeignKeyConstraint(["set_by"], ["user_account.id"], name=op.f("fk_policy_set_by_user_account")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_policy")),
    )
    with op.batch_alter_table("change_set") as table:
        table.add_column(sa.Column("replaces_id", sa.BigInteger(), nullable=True))
        table.drop_constraint(op.f("ck_change_set_status"), type_="check")
        table.create_check_constraint(op.f("ck_change_set_status"), f"status in ({_STATES}, 'replaced')")


def downgrade() -> None:
    """Drop them."""
    with op.batch_alter_table("change_set") as table:
        table.drop_constraint(op.f("ck_change_set_status"), type_="check")
        table.create_check_constraint(op.f("ck_change_set_status"), f"status in ({_STATES})")
        table.drop_column("replaces_id")
    op.drop_table("policy")
