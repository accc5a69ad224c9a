"""Guards: triggers that refuse by name, written in migrations as plain SQL (docs/adr/0002).

They raise `check_violation` with a constraint name `<table>_<rule>`, so that a service can tell the refusals apart, and
unlike ready-made triggers nothing but a migration switches them off.
"""

from django.db.migrations import RunSQL


def guard(*, table: str, name: str, body: str, when: str, deferred: bool = False) -> RunSQL:
    """Return the operation that installs one trigger, and removes it when reversed.

    `body` is plpgsql between BEGIN and END; `when` reads like "BEFORE INSERT OR UPDATE". A deferred guard runs at commit,
    or when `settle_constraints()` asks.
    """
    kind, timing = ("CONSTRAINT TRIGGER", "DEFERRABLE INITIALLY DEFERRED") if deferred else ("TRIGGER", "")
    return RunSQL(
        sql=f"""
            CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $guard$ BEGIN {body} END $guard$;
            CREATE {kind} {name} {when} ON {table} {timing} FOR EACH ROW EXECUTE FUNCTION {name}();
        """,
        reverse_sql=f"DROP TRIGGER {name} ON {table}; DROP FUNCTION {name}();",
    )


def refuse(name: str, message: str) -> str:
    """Return the plpgsql statement that refuses under a name."""
    return f"RAISE EXCEPTION USING ERRCODE = 'check_violation', CONSTRAINT = '{name}', MESSAGE = '{message}';"


def foreign_key(*, table: str, name: str, columns: str, refers: str, options: str = "") -> RunSQL:
    """Return the operation that adds a composite foreign key, which Django cannot declare."""
    return RunSQL(
        sql=f"ALTER TABLE {table} ADD CONSTRAINT {name} FOREIGN KEY ({columns}) REFERENCES {refers} {options}",
        reverse_sql=f"ALTER TABLE {table} DROP CONSTRAINT {name}",
    )


def check(*, table: str, name: str, condition: str) -> RunSQL:
    """Return the operation that adds a plain check whose subject Django's models do not name."""
    return RunSQL(
        sql=f"ALTER TABLE {table} ADD CONSTRAINT {name} CHECK ({condition})",
        reverse_sql=f"ALTER TABLE {table} DROP CONSTRAINT {name}",
    )


def unique(*, table: str, name: str, columns: str) -> RunSQL:
    """Return the operation that adds a key for a composite foreign key to refer to."""
    return RunSQL(
        sql=f"ALTER TABLE {table} ADD CONSTRAINT {name} UNIQUE ({columns})",
        reverse_sql=f"ALTER TABLE {table} DROP CONSTRAINT {name}",
    )


def same_club(*, table: str, column: str, refers: str, name: str) -> RunSQL:
    """Return the operation that keeps a row and what it points at inside one club."""
    return foreign_key(table=table, name=name, columns=f"club_id, {column}", refers=f"{refers} (club_id, id)")
