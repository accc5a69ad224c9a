"""Numbered pages over tables that are never counted."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from django.core.paginator import Paginator

PAGES_AHEAD, FARTHEST_PAGE = 4, 2000


class AtLeast(int):
    """A number of rows that was not counted to the end: "251+"."""

    def __str__(self) -> str:
        return f"{int(self)}+"


class Window(Paginator):  # type: ignore[type-arg]
    """Looks a few pages ahead of the one that is shown and never counts a table."""

    start = 1
    object_list: Any

    @cached_property
    def count(self) -> int:
        before = (self.start - 1) * self.per_page
        if self.start > FARTHEST_PAGE:
            return before
        most = PAGES_AHEAD * self.per_page + 1
        found = len(self.object_list.values_list("pk")[before : before + most])
        return AtLeast(before + found) if found == most else before + found
