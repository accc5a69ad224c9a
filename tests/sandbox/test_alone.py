"""The sandbox stands alone: it imports Werkzeug, the standard library and itself, nothing of the product."""

import ast
import sys
from pathlib import Path

ALLOWED = {"sandbox", "werkzeug", "markupsafe", "_typeshed"}
FOLDER = Path(__file__).resolve().parents[2] / "sandbox"


def test_the_sandbox_imports_nothing_of_the_product() -> None:
    roots = {
        name.split(".")[0]
        for file in FOLDER.rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
        for name in _imported(node)
    }

    assert roots - set(sys.stdlib_module_names) <= ALLOWED


def _imported(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    return [node.module or ""] if isinstance(node, ast.ImportFrom) else []
