"""README's table of misfortunes: each names the tests that play it, and they exist."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LEAST = 20  # misfortunes


def misfortunes() -> dict[str, list[str]]:
    """Return the tests named for each misfortune."""
    _before, table = (ROOT / "README.md").read_text().split("| misfortune | how it ends | the test |", 1)
    rows = re.findall(r"^\| (.+?) \| (.+?) \| (.+?) \|$", table.split("\n\n", 1)[0], re.MULTILINE)
    return {what: re.findall(r"`([^`]+)`", tests) for what, _end, tests in rows if not what.startswith("---")}


def is_there(test: str) -> bool:
    path, _sep, name = test.partition("::")
    if not (ROOT / path).is_file():
        return False
    names = {node.name for node in ast.walk(ast.parse((ROOT / path).read_text())) if isinstance(node, ast.FunctionDef)}
    return name in names if name else any(found.startswith("test_") for found in names)


def test_every_misfortune_names_tests_that_exist() -> None:
    table = misfortunes()
    assert len(table) >= LEAST
    assert [what for what, tests in table.items() if not tests] == []
    assert [test for tests in table.values() for test in tests if not is_there(test)] == []


def test_a_planted_name_is_found_missing() -> None:
    assert not is_there("tests/test_readme.py::test_that_nobody_wrote")
    assert not is_there("tests/test_of_nothing.py")
    assert is_there("tests/test_readme.py::is_there")
