"""The theme brings no Russian: every word of its templates is in our catalogue or Django's."""

from __future__ import annotations

import re
from pathlib import Path

import unfold
from django.utils import translation

WORD = re.compile(r"""\{%\s*trans(?:late)?\s+(?:"([^"]+)"|'([^']+)')|_\(\s*(?:"([^"]+)"|'([^']+)')\s*\)""")
SAME = {"OK"}


def words_of_the_theme() -> set[str]:
    root = Path(unfold.__file__).parent
    texts = [
        path.read_text() for kind in ("*.html", "*.py") for path in root.rglob(kind) if "contrib" not in path.parts
    ]
    return {next(filter(None, found.groups())) for text in texts for found in WORD.finditer(text)}


def test_every_word_of_the_theme_is_russian() -> None:
    with translation.override("ru"):
        english = {word for word in words_of_the_theme() if translation.gettext(word) == word} - SAME

    assert english == set()


def test_the_list_holds_no_word_that_the_theme_forgot() -> None:
    from backoffice.theme_words import WORDS

    assert set(WORDS) - words_of_the_theme() == set()
