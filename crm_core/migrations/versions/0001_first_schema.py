"""The first schema."""

import sqlalchemy as sa
from alembic import op

from crm_core.database import BigKey, UtcDateTime
from crm_core.models.base import Json
from crm_core.models.fulltext import create_fulltext

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create every table, then the full-text indexes."""
    op.create_table(
        "chunk",
        sa.Column("id", BigKey, nullable=False),
        sa.Column("noun", sa.String(length=40), nullable=False),
        sa.Column("record_id", sa.BigInteger(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_chunk")),
    )
    op.create_index("ix_chunk_record", "chunk", ["noun", "record_id"], unique=False)
    op.create_table(
        "custom_field",
        sa.Column("id", BigKey, nullable=False),
        sa.Column("noun", sa.String(length=40), nullable=False),
        sa.Column("key", sa.String(length=60), nullable=False),
        sa.Column("label", sa.String(length=120), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("choices", Json, nullable=False),
        sa.Column("synonyms", Json, nullable=False),
        sa.Column("help", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "kind in ('text', 'number', 'money', 'date', 'choice', 'boolean')", name=op.f("ck_custom_field_kind")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_custom_field")),
        sa.UniqueConstraint("noun", "key", name=op.f("uq_custom_field_noun_key")),
    )
    op.create_table(
        "document",
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("body", Json, nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_document")),
    )
    op.create_table(
        "exchange_rate",
        sa.Column("id", BigKey, nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("micro", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("micro > 0", name=op.f("ck_exchange_rate_positive")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_exchange_rate")),
        sa.UniqueConstraint("currency", "day", name=op.f("uq_exchange_rate_currency_day")),
    )
    op.create_table(
        "inbound_event",
        sa.Column("id", BigKey, nullable=False),
        sa.Column("service", sa.String(length=30), nullable=False),
        sa.Column("event_id", sa.String(length=200), nullable=False),
        sa.Column("received_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_inbound_event")),
        sa.UniqueConstraint("service", "event_id", name=op.f("uq_inbound_event_service_event_id")),
    )
    op.create_table(
        "organisation",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("home_currency", sa.String(length=3), nullable=False),
        sa.Column("timezone", sa.String(length=64), nullable=False),
        sa.Column("fiscal_start_month", sa.Integer(), nullable=False),
        sa.Column("week_start", sa.Integer(), nullable=False),
        sa.Column("phone_region", sa.String(length=2), nullable=False),
        sa.Column("access_version", sa.Integer(), nullable=False),
        sa.Column("vocabulary_version", sa.Integer(), nullable=False),
        sa.CheckConstraint("fiscal_start_month between 1 and 12", name=op.f("ck_organisation_fiscal_month")),
        sa.CheckConstraint("id = 1", name=op.f("ck_organisation_single_row")),
        sa.CheckConstraint("week_start between 0 and 6", name=op.f("ck_organisation_week_start")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_organisation")),
    )
    op.create_table(
        "picklist_value",
        sa.Column("id", BigKey, nullable=False),
        sa.Column("noun", sa.String(length=40), nullable=False),
        sa.Column("field", sa.String(length=60), nullable=False),
        sa.Column("value", sa.String(length=120), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=True),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("synonyms", Json, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_picklist_value")),
        sa.UniqueConstraint("noun", "field", "value", name=op.f("uq_picklist_value_noun_field_value")),
    )
    op.create_table(
        "pipeline",
        sa.Column("id", BigKey, nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pipeline")),
        sa.UniqueConstraint("name", name=op.f("uq_pipeline_name")),
    )
    op.create_table(
        "product",
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("code", sa.String(length=60), nullable=True),
        sa.Column("family", sa.String(length=120), nullable=True),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("id", BigKey, nullable=False),
        sa.Column("external_id", sa.String(length=200), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.Column("archived_at", UtcDateTime(), nullable=True),
        sa.Column("custom", Json, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_product")),
        sa.UniqueConstraint("code", name=op.f("uq_product_code")),
        sa.UniqueConstraint("external_id", name=op.f("uq_product_external_id")),
    )
    op.create_index(op.f("ix_product_created_at"), "product", ["created_at"], unique=False)
    op.create_index(op.f("ix_product_name"), "product", ["name"], unique=False)
    op.create_table(
        "role_grant",
        sa.Column("id", BigKey, nullable=False),
        sa.Column("role", sa.String(length=20), nullable=False),
        sa.Column("noun", sa.String(length=40), nullable=False),
        sa.Column("read_scope", sa.String(length=10), nullable=False),
        sa.Column("write_scope", sa.String(length=10), nullable=False),
        sa.CheckConstraint("read_scope in ('none', 'own', 'team', 'all')", name=op.f("ck_role_grant_read_scope")),
        sa.CheckConstraint("write_scope in ('none', 'own', 'team', 'all')", name=op.f("ck_role_grant_write_scope")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_role_grant")),
        sa.UniqueConstraint("role", "noun", name=op.f("uq_role_grant_role_noun")),
    )
    op.create_table(
        "search_entry",
        sa.Column("id", BigKey, nullable=False),
        sa.Column("noun", sa.String(length=40), nullable=False),
        sa.Column("record_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("key", sa.String(length=400), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_search_entry")),
    )
    op.create_index("ix_search_entry_key", "search_entry", ["key"], unique=False)
    op.create_index("ix_search_entry_record", "search_entry", ["noun", "record_id"], unique=False)
    op.create_table(
        "team",
        sa.Column("id", BigKey, nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("parent_id", BigKey, nullable=True),
        sa.ForeignKeyConstraint(["parent_id"], ["team.id"], name=op.f("fk_team_parent_id_team")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_team")),
        sa.UniqueConstraint("name", name=op.f("uq_team_name")),
    )
    op.create_table(
        "price",
        sa.Column("id", BigKey, nullable=False),
        sa.Column("product_id", BigKey, nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.ForeignKeyConstraint(["product_id"], ["product.id"], name=op.f("fk_price_product_id_product")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_price")),
        sa.UniqueConstraint(
            "product_id", "currency", "valid_from", name=op.f("uq_price_product_id_currency_valid_from")
        ),
    )
    op.create_index(op.f("ix_price_product_id"), "price", ["product_id"], unique=False)
    op.create_table(
        "stage",
        sa.Column("id", BigKey, nullable=False),
        sa.Column("pipeline_id", BigKey, nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("probability", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.CheckConstraint("kind in ('open', 'won', 'lost')", name=op.f("ck_stage_kind")),
        sa.CheckConstraint("probability between 0 and 100", name=op.f("ck_stage_probability")),
        sa.ForeignKeyConstraint(["pipeline_id"], ["pipeline.id"], name=op.f("fk_stage_pipeline_id_pipeline")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_stage")),
        sa.UniqueConstraint("pipeline_id", "name", name=op.f("uq_stage_pipeline_id_name")),
    )
    op.create_index(op.f("ix_stage_pipeline_id"), "stage", ["pipeline_id"], unique=False)
    op.create_table(
        "user_account",
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("email", sa.String(length=320), nullable=False),
        sa.Column("role", sa.String(length=20), nullable=False),
        sa.Column("team_id", BigKey, nullable=True),
        sa.Column("timezone", sa.String(length=64), nullable=True),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("id", BigKey, nullable=False),
        sa.Column("external_id", sa.String(length=200), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.Column("archived_at", UtcDateTime(), nullable=True),
        sa.Column("custom", Json, nullable=False),
        sa.CheckConstraint("role in ('readonly', 'rep', 'manager', 'admin')", name=op.f("ck_user_account_role")),
        sa.ForeignKeyConstraint(["team_id"], ["team.id"], name=op.f("fk_user_account_team_id_team")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_user_account")),
        sa.UniqueConstraint("email", name=op.f("uq_user_account_email")),
        sa.UniqueConstraint("external_id", name=op.f("uq_user_account_external_id")),
    )
    op.create_index(op.f("ix_user_account_created_at"), "user_account", ["created_at"], unique=False)
    op.create_index(op.f("ix_user_account_team_id"), "user_account", ["team_id"], unique=False)
    op.create_table(
        "api_key",
        sa.Column("id", BigKey, nullable=False),
        sa.Column("user_id", BigKey, nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("prefix", sa.String(length=16), nullable=False),
        sa.Column("key_hash", sa.String(length=64), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("revoked_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["user_account.id"], name=op.f("fk_api_key_user_id_user_account")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_key")),
        sa.UniqueConstraint("key_hash", name=op.f("uq_api_key_key_hash")),
    )
    op.create_index(op.f("ix_api_key_user_id"), "api_key", ["user_id"], unique=False)
    op.create_table(
        "change_set",
        sa.Column("id", BigKey, nullable=False),
        sa.Column("title", sa.String(length=400), nullable=False),
        sa.Column("capability", sa.String(length=60), nullable=False),
        sa.Column("arguments", Json, nullable=False),
        sa.Column("diff", Json, nullable=False),
        sa.Column("diff_hash", sa.String(length=64), nullable=False),
        sa.Column("risk", sa.String(length=20), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("requester_id", BigKey, nullable=False),
        sa.Column("approver_id", BigKey, nullable=True),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.Column("decided_at", UtcDateTime(), nullable=True),
        sa.CheckConstraint(
            "status in ('proposed', 'applied', 'refused', 'expired', 'conflict', 'undone')",
            name=op.f("ck_change_set_status"),
        ),
        sa.ForeignKeyConstraint(
            ["approver_id"], ["user_account.id"], name=op.f("fk_change_set_approver_id_user_account")
        ),
        sa.ForeignKeyConstraint(
            ["requester_id"], ["user_account.id"], name=op.f("fk_change_set_requester_id_user_account")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_change_set")),
    )
    op.create_index(op.f("ix_change_set_requester_id"), "change_set", ["requester_id"], unique=False)
    op.create_index(op.f("ix_change_set_status"), "change_set", ["status"], unique=False)
    op.create_table(
        "company",
        sa.Column("name", sa.String(length=300), nullable=False),
        sa.Column("domain", sa.String(length=255), nullable=True),
        sa.Column("phone", sa.String(length=60), nullable=True),
        sa.Column("industry", sa.String(length=120), nullable=True),
        sa.Column("region", sa.String(length=120), nullable=True),
        sa.Column("country", sa.String(length=120), nullable=True),
        sa.Column("city", sa.String(length=120), nullable=True),
        sa.Column("employees", sa.Integer(), nullable=True),
        sa.Column("annual_revenue_minor", sa.BigInteger(), nullable=True),
        sa.Column("parent_id", BigKey, nullable=True),
        sa.Column("owner_id", BigKey, nullable=True),
        sa.Column("id", BigKey, nullable=False),
        sa.Column("external_id", sa.String(length=200), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.Column("archived_at", UtcDateTime(), nullable=True),
        sa.Column("custom", Json, nullable=False),
        sa.ForeignKeyConstraint(["owner_id"], ["user_account.id"], name=op.f("fk_company_owner_id_user_account")),
        sa.ForeignKeyConstraint(["parent_id"], ["company.id"], name=op.f("fk_company_parent_id_company")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_company")),
        sa.UniqueConstraint("external_id", name=op.f("uq_company_external_id")),
    )
    op.create_index(op.f("ix_company_created_at"), "company", ["created_at"], unique=False)
    op.create_index(op.f("ix_company_domain"), "company", ["domain"], unique=False)
    op.create_index(op.f("ix_company_industry"), "company", ["industry"], unique=False)
    op.create_index(op.f("ix_company_name"), "company", ["name"], unique=False)
    op.create_index(op.f("ix_company_owner_id"), "company", ["owner_id"], unique=False)
    op.create_index(op.f("ix_company_parent_id"), "company", ["parent_id"], unique=False)
    op.create_index(op.f("ix_company_region"), "company", ["region"], unique=False)
    op.create_table(
        "event",
        sa.Column("id", BigKey, nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("actor_id", BigKey, nullable=True),
        sa.Column("door", sa.String(length=30), nullable=False),
        sa.Column("noun", sa.String(length=40), nullable=False),
        sa.Column("record_id", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=30), nullable=False),
        sa.Column("changes", Json, nullable=False),
        sa.Column("change_set_id", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["actor_id"], ["user_account.id"], name=op.f("fk_event_actor_id_user_account")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_event")),
    )
    op.create_index(op.f("ix_event_at"), "event", ["at"], unique=False)
    op.create_index(op.f("ix_event_change_set_id"), "event", ["change_set_id"], unique=False)
    op.create_index("ix_event_record", "event", ["noun", "record_id", "id"], unique=False)
    op.create_table(
        "file_reference",
        sa.Column("id", BigKey, nullable=False),
        sa.Column("noun", sa.String(length=40), nullable=False),
        sa.Column("record_id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.String(length=300), nullable=False),
        sa.Column("location", sa.Text(), nullable=False),
        sa.Column("content_type", sa.String(length=120), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=True),
        sa.Column("sha256", sa.String(length=64), nullable=True),
        sa.Column("added_by", BigKey, nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["added_by"], ["user_account.id"], name=op.f("fk_file_reference_added_by_user_account")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_file_reference")),
    )
    op.create_table(
        "idempotency_key",
        sa.Column("id", BigKey, nullable=False),
        sa.Column("user_id", BigKey, nullable=False),
        sa.Column("key", sa.String(length=200), nullable=False),
        sa.Column("request_hash", sa.String(length=64), nullable=False),
        sa.Column("response", Json, nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["user_account.id"], name=op.f("fk_idempotency_key_user_id_user_account")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_idempotency_key")),
        sa.UniqueConstraint("user_id", "key", name=op.f("uq_idempotency_key_user_id_key")),
    )
    op.create_table(
        "target",
        sa.Column("id", BigKey, nullable=False),
        sa.Column("user_id", BigKey, nullable=False),
        sa.Column("first", sa.Date(), nullable=False),
        sa.Column("end", sa.Date(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("amount_minor >= 0", name=op.f("ck_target_amount")),
        sa.CheckConstraint('first < "end"', name=op.f("ck_target_order")),
        sa.ForeignKeyConstraint(["user_id"], ["user_account.id"], name=op.f("fk_target_user_id_user_account")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_target")),
    )
    op.create_index(op.f("ix_target_user_id"), "target", ["user_id"], unique=False)
    op.create_table(
        "thread",
        sa.Column("id", sa.String(length=80), nullable=False),
        sa.Column("owner_id", BigKey, nullable=False),
        sa.Column("door", sa.String(length=30), nullable=False),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["owner_id"], ["user_account.id"], name=op.f("fk_thread_owner_id_user_account")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_thread")),
    )
    op.create_index(op.f("ix_thread_owner_id"), "thread", ["owner_id"], unique=False)
    op.create_index(op.f("ix_thread_updated_at"), "thread", ["updated_at"], unique=False)
    op.create_table(
        "web_session",
        sa.Column("id", BigKey, nullable=False),
        sa.Column("user_id", BigKey, nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["user_account.id"], name=op.f("fk_web_session_user_id_user_account")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_web_session")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_web_session_token_hash")),
    )
    op.create_index(op.f("ix_web_session_user_id"), "web_session", ["user_id"], unique=False)
    op.create_table(
        "contact",
        sa.Column("name", sa.String(length=300), nullable=False),
        sa.Column("title", sa.String(length=200), nullable=True),
        sa.Column("email", sa.String(length=320), nullable=True),
        sa.Column("phone", sa.String(length=60), nullable=True),
        sa.Column("city", sa.String(length=120), nullable=True),
        sa.Column("company_id", BigKey, nullable=True),
        sa.Column("owner_id", BigKey, nullable=True),
        sa.Column("consent_email", sa.Boolean(), nullable=True),
        sa.Column("consent_phone", sa.Boolean(), nullable=True),
        sa.Column("id", BigKey, nullable=False),
        sa.Column("external_id", sa.String(length=200), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.Column("archived_at", UtcDateTime(), nullable=True),
        sa.Column("custom", Json, nullable=False),
        sa.ForeignKeyConstraint(["company_id"], ["company.id"], name=op.f("fk_contact_company_id_company")),
        sa.ForeignKeyConstraint(["owner_id"], ["user_account.id"], name=op.f("fk_contact_owner_id_user_account")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_contact")),
        sa.UniqueConstraint("external_id", name=op.f("uq_contact_external_id")),
    )
    op.create_index(op.f("ix_contact_company_id"), "contact", ["company_id"], unique=False)
    op.create_index(op.f("ix_contact_created_at"), "contact", ["created_at"], unique=False)
    op.create_index(op.f("ix_contact_email"), "contact", ["email"], unique=False)
    op.create_index(op.f("ix_contact_name"), "contact", ["name"], unique=False)
    op.create_index(op.f("ix_contact_owner_id"), "contact", ["owner_id"], unique=False)
    op.create_table(
        "deal",
        sa.Column("name", sa.String(length=300), nullable=False),
        sa.Column("company_id", BigKey, nullable=True),
        sa.Column("pipeline_id", BigKey, nullable=False),
        sa.Column("stage_id", BigKey, nullable=False),
        sa.Column("status", sa.String(length=10), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=True),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("expected_close_on", sa.Date(), nullable=True),
        sa.Column("closed_at", UtcDateTime(), nullable=True),
        sa.Column("forecast_category", sa.String(length=120), nullable=True),
        sa.Column("source", sa.String(length=120), nullable=True),
        sa.Column("loss_reason", sa.String(length=200), nullable=True),
        sa.Column("next_step", sa.Text(), nullable=True),
        sa.Column("owner_id", BigKey, nullable=True),
        sa.Column("id", BigKey, nullable=False),
        sa.Column("external_id", sa.String(length=200), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.Column("archived_at", UtcDateTime(), nullable=True),
        sa.Column("custom", Json, nullable=False),
        sa.CheckConstraint("(status = 'open') = (closed_at is null)", name=op.f("ck_deal_closed")),
        sa.CheckConstraint("status in ('open', 'won', 'lost')", name=op.f("ck_deal_status")),
        sa.CheckConstraint("amount_minor >= 0", name=op.f("ck_deal_amount")),
        sa.ForeignKeyConstraint(["company_id"], ["company.id"], name=op.f("fk_deal_company_id_company")),
        sa.ForeignKeyConstraint(["owner_id"], ["user_account.id"], name=op.f("fk_deal_owner_id_user_account")),
        sa.ForeignKeyConstraint(["pipeline_id"], ["pipeline.id"], name=op.f("fk_deal_pipeline_id_pipeline")),
        sa.ForeignKeyConstraint(["stage_id"], ["stage.id"], name=op.f("fk_deal_stage_id_stage")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deal")),
        sa.UniqueConstraint("external_id", name=op.f("uq_deal_external_id")),
    )
    op.create_index(op.f("ix_deal_closed_at"), "deal", ["closed_at"], unique=False)
    op.create_index(op.f("ix_deal_company_id"), "deal", ["company_id"], unique=False)
    op.create_index(op.f("ix_deal_created_at"), "deal", ["created_at"], unique=False)
    op.create_index(op.f("ix_deal_expected_close_on"), "deal", ["expected_close_on"], unique=False)
    op.create_index(op.f("ix_deal_name"), "deal", ["name"], unique=False)
    op.create_index("ix_deal_owner_status", "deal", ["owner_id", "status"], unique=False)
    op.create_index(op.f("ix_deal_stage_id"), "deal", ["stage_id"], unique=False)
    op.create_index("ix_deal_status_stage", "deal", ["status", "stage_id"], unique=False)
    op.create_table(
        "turn",
        sa.Column("id", BigKey, nullable=False),
        sa.Column("thread_id", sa.String(length=80), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("user_id", BigKey, nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("answer", Json, nullable=False),
        sa.Column("frame", Json, nullable=True),
        sa.Column("rating", sa.Integer(), nullable=True),
        sa.CheckConstraint("rating in (-1, 1)", name=op.f("ck_turn_rating")),
        sa.ForeignKeyConstraint(["thread_id"], ["thread.id"], name=op.f("fk_turn_thread_id_thread")),
        sa.ForeignKeyConstraint(["user_id"], ["user_account.id"], name=op.f("fk_turn_user_id_user_account")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_turn")),
        sa.UniqueConstraint("thread_id", "number", name=op.f("uq_turn_thread_id_number")),
    )
    op.create_table(
        "close_date_change",
        sa.Column("id", BigKey, nullable=False),
        sa.Column("deal_id", BigKey, nullable=False),
        sa.Column("changed_at", UtcDateTime(), nullable=False),
        sa.Column("old_day", sa.Date(), nullable=False),
        sa.Column("new_day", sa.Date(), nullable=True),
        sa.Column("amount_minor", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["deal_id"], ["deal.id"], name=op.f("fk_close_date_change_deal_id_deal")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_close_date_change")),
    )
    op.create_index(op.f("ix_close_date_change_changed_at"), "close_date_change", ["changed_at"], unique=False)
    op.create_index(op.f("ix_close_date_change_deal_id"), "close_date_change", ["deal_id"], unique=False)
    op.create_table(
        "deal_contact",
        sa.Column("id", BigKey, nullable=False),
        sa.Column("deal_id", BigKey, nullable=False),
        sa.Column("contact_id", BigKey, nullable=False),
        sa.Column("role", sa.String(length=60), nullable=False),
        sa.ForeignKeyConstraint(["contact_id"], ["contact.id"], name=op.f("fk_deal_contact_contact_id_contact")),
        sa.ForeignKeyConstraint(["deal_id"], ["deal.id"], name=op.f("fk_deal_contact_deal_id_deal")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deal_contact")),
        sa.UniqueConstraint("deal_id", "contact_id", "role", name=op.f("uq_deal_contact_deal_id_contact_id_role")),
    )
    op.create_index(op.f("ix_deal_contact_contact_id"), "deal_contact", ["contact_id"], unique=False)
    op.create_index(op.f("ix_deal_contact_deal_id"), "deal_contact", ["deal_id"], unique=False)
    op.create_table(
        "employment",
        sa.Column("id", BigKey, nullable=False),
        sa.Column("contact_id", BigKey, nullable=False),
        sa.Column("company_id", BigKey, nullable=False),
        sa.Column("title", sa.String(length=200), nullable=True),
        sa.Column("started_on", sa.Date(), nullable=True),
        sa.Column("ended_on", sa.Date(), nullable=True),
        sa.ForeignKeyConstraint(["company_id"], ["company.id"], name=op.f("fk_employment_company_id_company")),
        sa.ForeignKeyConstraint(["contact_id"], ["contact.id"], name=op.f("fk_employment_contact_id_contact")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_employment")),
    )
    op.create_index(op.f("ix_employment_company_id"), "employment", ["company_id"], unique=False)
    op.create_index(op.f("ix_employment_contact_id"), "employment", ["contact_id"], unique=False)
    op.create_table(
        "lead",
        sa.Column("name", sa.String(length=300), nullable=False),
        sa.Column("company_name", sa.String(length=300), nullable=True),
        sa.Column("title", sa.String(length=200), nullable=True),
        sa.Column("email", sa.String(length=320), nullable=True),
        sa.Column("phone", sa.String(length=60), nullable=True),
        sa.Column("source", sa.String(length=120), nullable=True),
        sa.Column("status", sa.String(length=120), nullable=False),
        sa.Column("region", sa.String(length=120), nullable=True),
        sa.Column("owner_id", BigKey, nullable=True),
        sa.Column("first_response_at", UtcDateTime(), nullable=True),
        sa.Column("converted_at", UtcDateTime(), nullable=True),
        sa.Column("company_id", BigKey, nullable=True),
        sa.Column("contact_id", BigKey, nullable=True),
        sa.Column("deal_id", BigKey, nullable=True),
        sa.Column("id", BigKey, nullable=False),
        sa.Column("external_id", sa.String(length=200), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.Column("archived_at", UtcDateTime(), nullable=True),
        sa.Column("custom", Json, nullable=False),
        sa.CheckConstraint(
            "converted_at is null or contact_id is not null", name=op.f("ck_lead_converted_has_contact")
        ),
        sa.ForeignKeyConstraint(["company_id"], ["company.id"], name=op.f("fk_lead_company_id_company")),
        sa.ForeignKeyConstraint(["contact_id"], ["contact.id"], name=op.f("fk_lead_contact_id_contact")),
        sa.ForeignKeyConstraint(["deal_id"], ["deal.id"], name=op.f("fk_lead_deal_id_deal")),
        sa.ForeignKeyConstraint(["owner_id"], ["user_account.id"], name=op.f("fk_lead_owner_id_user_account")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_lead")),
        sa.UniqueConstraint("external_id", name=op.f("uq_lead_external_id")),
    )
    op.create_index(op.f("ix_lead_converted_at"), "lead", ["converted_at"], unique=False)
    op.create_index(op.f("ix_lead_created_at"), "lead", ["created_at"], unique=False)
    op.create_index(op.f("ix_lead_email"), "lead", ["email"], unique=False)
    op.create_index(op.f("ix_lead_name"), "lead", ["name"], unique=False)
    op.create_index(op.f("ix_lead_owner_id"), "lead", ["owner_id"], unique=False)
    op.create_index(op.f("ix_lead_source"), "lead", ["source"], unique=False)
    op.create_index(op.f("ix_lead_status"), "lead", ["status"], unique=False)
    op.create_table(
        "line_item",
        sa.Column("id", BigKey, nullable=False),
        sa.Column("deal_id", BigKey, nullable=False),
        sa.Column("product_id", BigKey, nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("unit_price_minor", sa.BigInteger(), nullable=False),
        sa.Column("total_minor", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("quantity > 0", name=op.f("ck_line_item_quantity")),
        sa.CheckConstraint("total_minor >= 0", name=op.f("ck_line_item_total")),
        sa.ForeignKeyConstraint(["deal_id"], ["deal.id"], name=op.f("fk_line_item_deal_id_deal")),
        sa.ForeignKeyConstraint(["product_id"], ["product.id"], name=op.f("fk_line_item_product_id_product")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_line_item")),
    )
    op.create_index(op.f("ix_line_item_deal_id"), "line_item", ["deal_id"], unique=False)
    op.create_index(op.f("ix_line_item_product_id"), "line_item", ["product_id"], unique=False)
    op.create_table(
        "stage_entry",
        sa.Column("id", BigKey, nullable=False),
        sa.Column("deal_id", BigKey, nullable=False),
        sa.Column("stage_id", BigKey, nullable=False),
        sa.Column("entered_at", UtcDateTime(), nullable=False),
        sa.Column("left_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["deal_id"], ["deal.id"], name=op.f("fk_stage_entry_deal_id_deal")),
        sa.ForeignKeyConstraint(["stage_id"], ["stage.id"], name=op.f("fk_stage_entry_stage_id_stage")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_stage_entry")),
    )
    op.create_index(op.f("ix_stage_entry_deal_id"), "stage_entry", ["deal_id"], unique=False)
    op.create_index(op.f("ix_stage_entry_entered_at"), "stage_entry", ["entered_at"], unique=False)
    op.create_index(op.f("ix_stage_entry_stage_id"), "stage_entry", ["stage_id"], unique=False)
    op.create_table(
        "ticket",
        sa.Column("subject", sa.String(length=300), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("status", sa.String(length=120), nullable=False),
        sa.Column("priority", sa.String(length=120), nullable=True),
        sa.Column("category", sa.String(length=120), nullable=True),
        sa.Column("company_id", BigKey, nullable=True),
        sa.Column("contact_id", BigKey, nullable=True),
        sa.Column("owner_id", BigKey, nullable=True),
        sa.Column("first_response_at", UtcDateTime(), nullable=True),
        sa.Column("resolved_at", UtcDateTime(), nullable=True),
        sa.Column("id", BigKey, nullable=False),
        sa.Column("external_id", sa.String(length=200), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.Column("archived_at", UtcDateTime(), nullable=True),
        sa.Column("custom", Json, nullable=False),
        sa.ForeignKeyConstraint(["company_id"], ["company.id"], name=op.f("fk_ticket_company_id_company")),
        sa.ForeignKeyConstraint(["contact_id"], ["contact.id"], name=op.f("fk_ticket_contact_id_contact")),
        sa.ForeignKeyConstraint(["owner_id"], ["user_account.id"], name=op.f("fk_ticket_owner_id_user_account")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ticket")),
        sa.UniqueConstraint("external_id", name=op.f("uq_ticket_external_id")),
    )
    op.create_index(op.f("ix_ticket_company_id"), "ticket", ["company_id"], unique=False)
    op.create_index(op.f("ix_ticket_contact_id"), "ticket", ["contact_id"], unique=False)
    op.create_index(op.f("ix_ticket_created_at"), "ticket", ["created_at"], unique=False)
    op.create_index(op.f("ix_ticket_owner_id"), "ticket", ["owner_id"], unique=False)
    op.create_index(op.f("ix_ticket_resolved_at"), "ticket", ["resolved_at"], unique=False)
    op.create_index(op.f("ix_ticket_status"), "ticket", ["status"], unique=False)
    op.create_table(
        "activity",
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("subject", sa.String(length=300), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("direction", sa.String(length=10), nullable=True),
        sa.Column("outcome", sa.String(length=120), nullable=True),
        sa.Column("occurred_at", UtcDateTime(), nullable=False),
        sa.Column("duration_minutes", sa.Integer(), nullable=True),
        sa.Column("due_on", sa.Date(), nullable=True),
        sa.Column("completed_at", UtcDateTime(), nullable=True),
        sa.Column("owner_id", BigKey, nullable=True),
        sa.Column("company_id", BigKey, nullable=True),
        sa.Column("contact_id", BigKey, nullable=True),
        sa.Column("deal_id", BigKey, nullable=True),
        sa.Column("lead_id", BigKey, nullable=True),
        sa.Column("ticket_id", BigKey, nullable=True),
        sa.Column("id", BigKey, nullable=False),
        sa.Column("external_id", sa.String(length=200), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.Column("archived_at", UtcDateTime(), nullable=True),
        sa.Column("custom", Json, nullable=False),
        sa.CheckConstraint("direction in ('inbound', 'outbound')", name=op.f("ck_activity_direction")),
        sa.CheckConstraint("kind in ('call', 'email', 'meeting', 'note', 'task')", name=op.f("ck_activity_kind")),
        sa.CheckConstraint("duration_minutes >= 0", name=op.f("ck_activity_duration")),
        sa.ForeignKeyConstraint(["company_id"], ["company.id"], name=op.f("fk_activity_company_id_company")),
        sa.ForeignKeyConstraint(["contact_id"], ["contact.id"], name=op.f("fk_activity_contact_id_contact")),
        sa.ForeignKeyConstraint(["deal_id"], ["deal.id"], name=op.f("fk_activity_deal_id_deal")),
        sa.ForeignKeyConstraint(["lead_id"], ["lead.id"], name=op.f("fk_activity_lead_id_lead")),
        sa.ForeignKeyConstraint(["owner_id"], ["user_account.id"], name=op.f("fk_activity_owner_id_user_account")),
        sa.ForeignKeyConstraint(["ticket_id"], ["ticket.id"], name=op.f("fk_activity_ticket_id_ticket")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_activity")),
        sa.UniqueConstraint("external_id", name=op.f("uq_activity_external_id")),
    )
    op.create_index(op.f("ix_activity_company_id"), "activity", ["company_id"], unique=False)
    op.create_index(op.f("ix_activity_contact_id"), "activity", ["contact_id"], unique=False)
    op.create_index(op.f("ix_activity_created_at"), "activity", ["created_at"], unique=False)
    op.create_index(op.f("ix_activity_deal_id"), "activity", ["deal_id"], unique=False)
    op.create_index("ix_activity_kind_occurred_at", "activity", ["kind", "occurred_at"], unique=False)
    op.create_index(op.f("ix_activity_lead_id"), "activity", ["lead_id"], unique=False)
    op.create_index(op.f("ix_activity_occurred_at"), "activity", ["occurred_at"], unique=False)
    op.create_index(op.f("ix_activity_owner_id"), "activity", ["owner_id"], unique=False)
    op.create_index(op.f("ix_activity_ticket_id"), "activity", ["ticket_id"], unique=False)
    op.create_table(
        "activity_participant",
        sa.Column("id", BigKey, nullable=False),
        sa.Column("activity_id", BigKey, nullable=False),
        sa.Column("contact_id", BigKey, nullable=True),
        sa.Column("user_id", BigKey, nullable=True),
        sa.CheckConstraint(
            "(contact_id is null) <> (user_id is null)", name=op.f("ck_activity_participant_one_person")
        ),
        sa.ForeignKeyConstraint(
            ["activity_id"], ["activity.id"], name=op.f("fk_activity_participant_activity_id_activity")
        ),
        sa.ForeignKeyConstraint(
            ["contact_id"], ["contact.id"], name=op.f("fk_activity_participant_contact_id_contact")
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["user_account.id"], name=op.f("fk_activity_participant_user_id_user_account")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_activity_participant")),
    )
    op.create_index(op.f("ix_activity_participant_activity_id"), "activity_participant", ["activity_id"], unique=False)
    op.create_index(op.f("ix_activity_participant_contact_id"), "activity_participant", ["contact_id"], unique=False)
    create_fulltext(op.get_bind())


def downgrade() -> None:
    """Drop every table."""
    op.drop_index(op.f("ix_activity_participant_contact_id"), table_name="activity_participant")
    op.drop_index(op.f("ix_activity_participant_activity_id"), table_name="activity_participant")
    op.drop_table("activity_participant")
    op.drop_index(op.f("ix_activity_ticket_id"), table_name="activity")
    op.drop_index(op.f("ix_activity_owner_id"), table_name="activity")
    op.drop_index(op.f("ix_activity_occurred_at"), table_name="activity")
    op.drop_index(op.f("ix_activity_lead_id"), table_name="activity")
    op.drop_index("ix_activity_kind_occurred_at", table_name="activity")
    op.drop_index(op.f("ix_activity_deal_id"), table_name="activity")
    op.drop_index(op.f("ix_activity_created_at"), table_name="activity")
    op.drop_index(op.f("ix_activity_contact_id"), table_name="activity")
    op.drop_index(op.f("ix_activity_company_id"), table_name="activity")
    op.drop_table("activity")
    op.drop_index(op.f("ix_ticket_status"), table_name="ticket")
    op.drop_index(op.f("ix_ticket_resolved_at"), table_name="ticket")
    op.drop_index(op.f("ix_ticket_owner_id"), table_name="ticket")
    op.drop_index(op.f("ix_ticket_created_at"), table_name="ticket")
    op.drop_index(op.f("ix_ticket_contact_id"), table_name="ticket")
    op.drop_index(op.f("ix_ticket_company_id"), table_name="ticket")
    op.drop_table("ticket")
    op.drop_index(op.f("ix_stage_entry_stage_id"), table_name="stage_entry")
    op.drop_index(op.f("ix_stage_entry_entered_at"), table_name="stage_entry")
    op.drop_index(op.f("ix_stage_entry_deal_id"), table_name="stage_entry")
    op.drop_table("stage_entry")
    op.drop_index(op.f("ix_line_item_product_id"), table_name="line_item")
    op.drop_index(op.f("ix_line_item_deal_id"), table_name="line_item")
    op.drop_table("line_item")
    op.drop_index(op.f("ix_lead_status"), table_name="lead")
    op.drop_index(op.f("ix_lead_source"), table_name="lead")
    op.drop_index(op.f("ix_lead_owner_id"), table_name="lead")
    op.drop_index(op.f("ix_lead_name"), table_name="lead")
    op.drop_index(op.f("ix_lead_email"), table_name="lead")
    op.drop_index(op.f("ix_lead_created_at"), table_name="lead")
    op.drop_index(op.f("ix_lead_converted_at"), table_name="lead")
    op.drop_table("lead")
    op.drop_index(op.f("ix_employment_contact_id"), table_name="employment")
    op.drop_index(op.f("ix_employment_company_id"), table_name="employment")
    op.drop_table("employment")
    op.drop_index(op.f("ix_deal_contact_deal_id"), table_name="deal_contact")
    op.drop_index(op.f("ix_deal_contact_contact_id"), table_name="deal_contact")
    op.drop_table("deal_contact")
    op.drop_index(op.f("ix_close_date_change_deal_id"), table_name="close_date_change")
    op.drop_index(op.f("ix_close_date_change_changed_at"), table_name="close_date_change")
    op.drop_table("close_date_change")
    op.drop_table("turn")
    op.drop_index("ix_deal_status_stage", table_name="deal")
    op.drop_index(op.f("ix_deal_stage_id"), table_name="deal")
    op.drop_index("ix_deal_owner_status", table_name="deal")
    op.drop_index(op.f("ix_deal_name"), table_name="deal")
    op.drop_index(op.f("ix_deal_expected_close_on"), table_name="deal")
    op.drop_index(op.f("ix_deal_created_at"), table_name="deal")
    op.drop_index(op.f("ix_deal_company_id"), table_name="deal")
    op.drop_index(op.f("ix_deal_closed_at"), table_name="deal")
    op.drop_table("deal")
    op.drop_index(op.f("ix_contact_owner_id"), table_name="contact")
    op.drop_index(op.f("ix_contact_name"), table_name="contact")
    op.drop_index(op.f("ix_contact_email"), table_name="contact")
    op.drop_index(op.f("ix_contact_created_at"), table_name="contact")
    op.drop_index(op.f("ix_contact_company_id"), table_name="contact")
    op.drop_table("contact")
    op.drop_index(op.f("ix_web_session_user_id"), table_name="web_session")
    op.drop_table("web_session")
    op.drop_index(op.f("ix_thread_updated_at"), table_name="thread")
    op.drop_index(op.f("ix_thread_owner_id"), table_name="thread")
    op.drop_table("thread")
    op.drop_index(op.f("ix_target_user_id"), table_name="target")
    op.drop_table("target")
    op.drop_table("idempotency_key")
    op.drop_table("file_reference")
    op.drop_index("ix_event_record", table_name="event")
    op.drop_index(op.f("ix_event_change_set_id"), table_name="event")
    op.drop_index(op.f("ix_event_at"), table_name="event")
    op.drop_table("event")
    op.drop_index(op.f("ix_company_region"), table_name="company")
    op.drop_index(op.f("ix_company_parent_id"), table_name="company")
    op.drop_index(op.f("ix_company_owner_id"), table_name="company")
    op.drop_index(op.f("ix_company_name"), table_name="company")
    op.drop_index(op.f("ix_company_industry"), table_name="company")
    op.drop_index(op.f("ix_company_domain"), table_name="company")
    op.drop_index(op.f("ix_company_created_at"), table_name="company")
    op.drop_table("company")
    op.drop_index(op.f("ix_change_set_status"), table_name="change_set")
    op.drop_index(op.f("ix_change_set_requester_id"), table_name="change_set")
    op.drop_table("change_set")
    op.drop_index(op.f("ix_api_key_user_id"), table_name="api_key")
    op.drop_table("api_key")
    op.drop_index(op.f("ix_user_account_team_id"), table_name="user_account")
    op.drop_index(op.f("ix_user_account_created_at"), table_name="user_account")
    op.drop_table("user_account")
    op.drop_index(op.f("ix_stage_pipeline_id"), table_name="stage")
    op.drop_table("stage")
    op.drop_index(op.f("ix_price_product_id"), table_name="price")
    op.drop_table("price")
    op.drop_table("team")
    op.drop_index("ix_search_entry_record", table_name="search_entry")
    op.drop_index("ix_search_entry_key", table_name="search_entry")
    op.drop_table("search_entry")
    op.drop_table("role_grant")
    op.drop_index(op.f("ix_product_name"), table_name="product")
    op.drop_index(op.f("ix_product_created_at"), table_name="product")
    op.drop_table("product")
    op.drop_table("pipeline")
    op.drop_table("picklist_value")
    op.drop_table("organisation")
    op.drop_table("inbound_event")
    op.drop_table("exchange_rate")
    op.drop_table("document")
    op.drop_table("custom_field")
    op.drop_index("ix_chunk_record", table_name="chunk")
    op.drop_table("chunk")
