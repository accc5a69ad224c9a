"""INVARIANTS.md has a line for every rule, every guard it names exists, and so does every test."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from django.apps import apps
from django.db import connection

ROOT = Path(__file__).resolve().parent.parent
RULES = {
    "G": 4, "1": 7, "2": 7, "3": 5, "4": 3, "5": 5, "6": 4, "7": 3, "8": 3, "9": 3, "W": 6, "I": 5, "C": 3, "B": 2,
}  # fmt: skip  # how many rules each chapter of the club's rules has
IDS = {
    f"{chapter}{'' if chapter.isalpha() else '.'}{n}" for chapter, count in RULES.items() for n in range(1, count + 1)
}


def lines() -> dict[str, list[str]]:
    """Return the cells of each rule's line, by id."""
    found = {}
    for line in (ROOT / "INVARIANTS.md").read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if re.fullmatch(r"[A-Z]\d|\d\.\d", cells[0]):
            found[cells[0]] = cells
    return found


def test_every_rule_has_its_line() -> None:
    assert set(lines()) == IDS


def test_every_proof_exists_or_waits_in_words() -> None:
    for rule, cells in lines().items():
        proof = cells[-1]
        if proof.startswith("**Waits** for "):
            continue
        path, _sep, name = proof.strip("`").partition("::")
        tree = ast.parse((ROOT / path).read_text())
        assert name in {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}, (rule, proof)


@pytest.mark.django_db
def test_every_guard_named_is_in_the_database() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT conname FROM pg_constraint UNION SELECT tgname FROM pg_trigger UNION SELECT indexname FROM pg_indexes"
        )
        known = {row[0] for row in cursor.fetchall()}
        cursor.execute("SELECT prosrc FROM pg_proc WHERE pronamespace = 'public'::regnamespace")
        raised = {name for (body,) in cursor.fetchall() for name in re.findall(r"CONSTRAINT = '(\w+)'", body)}
    for rule, cells in lines().items():
        named = set(re.findall(r"`(\w+)`", cells[2])) - {"timestamptz"}
        assert named <= known | raised, (rule, named - known - raised)


def test_no_model_shows_itself() -> None:
    for model in apps.get_models():
        if model.__module__.split(".")[0] in {
            "clubs",
            "clients",
            "slots",
            "payments",
            "bookings",
            "notifications",
            "webhooks",
        }:
            assert not {"to_dict", "as_dict", "to_json", "serialize"} & set(vars(model)), model
