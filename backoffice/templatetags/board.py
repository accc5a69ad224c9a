"""The cells of the schedule board. Fifty courts have hundreds of them, and a template takes ten times as long over each."""

from __future__ import annotations

from datetime import datetime

from django import template
from django.template.defaultfilters import date as written
from django.utils import timezone
from django.utils.html import escape, format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _

from backoffice.selectors_board import ICONS, Cell, Column, State

register = template.Library()
CELL = (
    '<li style="--top:{};--size:{};--lane:{};--lanes:{}"><a class="board-cell is-{}" id="c-{}-{}" href="?{}&amp;{}" data-panel'
    ' data-key="{}"{} title="{}, {}{}"><span class="material-symbols-outlined" aria-hidden="true">{}</span><b>{}</b>{}'
    ' <span>{}</span>{}{}<span class="board-hidden">, {}</span></a></li>'
)


@register.simple_tag
def cells(column: Column, base: str) -> SafeString:
    """Return the list items of a column; `base` is the query of the page."""
    words = {state: escape(state.label) for state in State}
    shared = (f"{column.day:%m%d}", escape(base), escape(column.name))
    return format_html_join("", "{}", ((_cell(cell, words[cell.state], *shared),) for cell in column.cells))


def _cell(cell: Cell, words: SafeString, day: str, base: SafeString, name: SafeString) -> SafeString:
    who, note = escape(cell.who), escape(cell.note)
    until = _until(cell.until) if cell.until else ""
    parts = (
        cell.top, cell.height, cell.lane, cell.lanes, cell.state.value, day, cell.key, base, cell.key,
        cell.key, ' draggable="true"' if cell.moves else "", cell.hours, words, f", {who}" if who else "", ICONS[cell.state],
        cell.clock, f" <em>{who}</em>" if who else "", words, until, f" <span>{note}</span>" if note else "", name,
    )  # fmt: skip
    return mark_safe(CELL.format(*parts))  # noqa: S308  every part is a number, a word of ours or escaped


def _until(moment: datetime) -> str:
    local = written(timezone.localtime(moment), "H:i")
    return format_html(' <time datetime="{}" data-until>{} {}</time>', moment.isoformat(), _("until"), local)
