"""PostgreSQL: monthly partitions of evidence and what keeps an event single across them (on both databases, in a table of its own).

A unique key of a partitioned table must hold the month, and an event sent again a month later is still the same event."""

import sqlalchemy as sa
from alembic import op

from evm.store.migrations.append_only import guard, unguard

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

EVENT = ("event_id", "device_id", "provider_id", "sha256")
UNIQUE = "uq_evidence_event_id_device_id_provider_id_sha256"
MONTHS_AHEAD = 4
FILL = f"INSERT INTO evidence_keys SELECT {', '.join(EVENT)}, log_index, received_at FROM evidence"  # noqa: S608 -- our own names


def upgrade() -> None:
    """Keys first, filled from what stands; then the log without its unique key, on PostgreSQL as months."""
    op.create_table(
        "evidence_keys",
        sa.Column("event_id", sa.String(length=36), nullable=False),
        sa.Column("device_id", sa.String(length=64), nullable=False),
        sa.Column("provider_id", sa.String(length=64), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("log_index", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint(*EVENT, name=op.f("pk_evidence_keys")),
        sqlite_with_rowid=False,
    )
    op.execute(FILL)
    unguard("evidence")
    if op.get_bind().dialect.name == "postgresql":
        _replace(partitioned=True)
    else:
        with op.batch_alter_table("evidence") as batch:
            batch.drop_constraint(UNIQUE, type_="unique")
    guard("evidence")
    guard("evidence_keys")


def downgrade() -> None:
    """One table again, with its unique key; no row is lost and every index stays."""
    unguard("evidence")
    if op.get_bind().dialect.name == "postgresql":
        _replace(partitioned=False)
        op.execute("DROP FUNCTION popback_keep_partitions(timestamptz, integer)")
    else:
        with op.batch_alter_table("evidence") as batch:
            batch.create_unique_constraint(UNIQUE, list(EVENT))
    guard("evidence")
    unguard("evidence_keys")
    op.drop_table("evidence_keys")


def _replace(*, partitioned: bool) -> None:
    """Put another table in the log's place: same columns, rows, indices and sequence."""
    op.execute("ALTER TABLE evidence RENAME TO evidence_before")
    for name in INDICES:
        op.execute(f"DROP INDEX {name}")
    op.execute("ALTER TABLE evidence_before DROP CONSTRAINT pk_evidence")
    by_month = "PARTITION BY RANGE (received_at)" if partitioned else ""
    op.execute(f"CREATE TABLE evidence (LIKE evidence_before INCLUDING DEFAULTS) {by_month}")
    op.execute("ALTER SEQUENCE evidence_log_index_seq OWNED BY evidence.log_index")
    if partitioned:
        op.execute("CREATE TABLE evidence_default PARTITION OF evidence DEFAULT")
        guard("evidence_default")
        _make_months()
    op.execute("INSERT INTO evidence SELECT * FROM evidence_before ORDER BY log_index")
    op.execute("DROP TABLE evidence_before")
    key = "log_index, received_at" if partitioned else "log_index"
    op.execute(f"ALTER TABLE evidence ADD CONSTRAINT pk_evidence PRIMARY KEY ({key})")
    for name, columns in INDICES.items():
        op.execute(f"CREATE INDEX {name} ON evidence {columns}")
    if not partitioned:
        op.execute(f"ALTER TABLE evidence ADD CONSTRAINT {UNIQUE} UNIQUE ({', '.join(EVENT)})")


def _make_months() -> None:
    """The function that makes months, then a month for every row there is, and those ahead."""
    schema = op.get_bind().execute(sa.text("SELECT quote_ident(current_schema())")).scalar_one()
    op.execute(_KEEP_PARTITIONS.replace("SCHEMA", schema))
    op.execute("REVOKE ALL ON FUNCTION popback_keep_partitions(timestamptz, integer) FROM PUBLIC")
    op.execute(
        "SELECT popback_keep_partitions(month, 1) FROM "
        "(SELECT DISTINCT date_trunc('month', received_at AT TIME ZONE 'UTC') AT TIME ZONE 'UTC' FROM evidence_before) AS had(month)"
    )
    op.execute(f"SELECT popback_keep_partitions(now(), {MONTHS_AHEAD})")


INDICES = {
    "ix_evidence_customer_at": "(customer_id, at)",
    "ix_evidence_worker_at": "(worker_id, at)",
    "ix_evidence_device_sequence": "(provider_id, device_id, sequence)",
    "ix_evidence_fix": "(latitude, worker_id) WHERE latitude IS NOT NULL",
    "ix_evidence_popback_requests": "(log_index) WHERE kind = 'popback_request'",
}
_KEEP_PARTITIONS = """
CREATE FUNCTION popback_keep_partitions(first_at timestamptz, months integer) RETURNS integer LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '5s' AS $$
DECLARE
    starts timestamptz;
    ends timestamptz;
    month text;
    made integer := 0;
BEGIN
    IF months NOT BETWEEN 1 AND 24 THEN
        RAISE EXCEPTION 'months must be between 1 and 24';
    END IF;
    FOR n IN 0 .. months - 1 LOOP
        starts := (date_trunc('month', first_at AT TIME ZONE 'UTC') + make_interval(months => n)) AT TIME ZONE 'UTC';
        ends := (date_trunc('month', first_at AT TIME ZONE 'UTC') + make_interval(months => n + 1)) AT TIME ZONE 'UTC';
        month := 'evidence_' || to_char(starts AT TIME ZONE 'UTC', 'YYYY_MM');
        IF to_regclass(format('SCHEMA.%I', month)) IS NOT NULL THEN
            CONTINUE;
        END IF;
        LOCK TABLE SCHEMA.evidence IN ACCESS EXCLUSIVE MODE;
        IF to_regclass(format('SCHEMA.%I', month)) IS NOT NULL  -- another was first
            OR EXISTS (SELECT FROM SCHEMA.evidence_default WHERE received_at >= starts AND received_at < ends) THEN
            CONTINUE;
        END IF;
        EXECUTE format('CREATE TABLE SCHEMA.%I PARTITION OF SCHEMA.evidence FOR VALUES FROM (%L) TO (%L)', month, starts, ends);
        EXECUTE format('CREATE TRIGGER %I BEFORE UPDATE OR DELETE OR TRUNCATE ON SCHEMA.%I '
            'FOR EACH STATEMENT EXECUTE FUNCTION SCHEMA.popback_refuse_change()', month || '_append_only', month);
        made := made + 1;
    END LOOP;
    RETURN made;
END $$
"""
