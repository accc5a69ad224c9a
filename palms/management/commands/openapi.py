"""Write docs/openapi.json anew. What would break callers is refused unless asked for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from palms.compatibility import breaking
from palms.document import build


class Command(BaseCommand):
    help = "Write docs/openapi.json, the promise to those who call the API."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--break", action="store_true", dest="breaks", help="also when callers would stumble")
        parser.add_argument("--file", type=Path, default=settings.BASE_DIR / "docs" / "openapi.json")

    def handle(self, *args: Any, **options: Any) -> None:
        path: Path = options["file"]
        found = json.dumps(build(), ensure_ascii=False, indent=1, sort_keys=False) + "\n"
        broken = breaking(json.loads(path.read_text()), json.loads(found)) if path.exists() else []
        if broken and not options["breaks"]:
            raise CommandError("\n".join(["This breaks callers (--break to do it all the same):", *broken]))
        path.write_text(found)
