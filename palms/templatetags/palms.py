"""Money, moments and lengths of time as people read them. Built into every template; moments go through a club's zone."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Protocol
from zoneinfo import ZoneInfo

import phonenumbers
from django import template
from django.http import HttpRequest
from django.template import Context
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import get_language, gettext_noop, ngettext, pgettext
from django.utils.translation import gettext as _

from palms.clock import to_zone
from palms.money import Money

register = template.Library()

WIDE, GLUE = "\N{NO-BREAK SPACE}", "\N{WORD JOINER}"
SIGNS = {"RUB": "₽", "USD": "$", "EUR": "€", "KZT": "₸", "BYN": "Br", "AMD": "֏", "GEL": "₾", "JPY": "¥"}
ZONES = {
    "Europe/Kaliningrad": gettext_noop("Kaliningrad time"),
    "Europe/Moscow": gettext_noop("Moscow time"),
    "Europe/Samara": gettext_noop("Samara time"),
    "Asia/Yekaterinburg": gettext_noop("Yekaterinburg time"),
    "Asia/Omsk": gettext_noop("Omsk time"),
    "Asia/Novosibirsk": gettext_noop("Novosibirsk time"),
    "Asia/Krasnoyarsk": gettext_noop("Krasnoyarsk time"),
    "Asia/Irkutsk": gettext_noop("Irkutsk time"),
    "Asia/Yakutsk": gettext_noop("Yakutsk time"),
    "Asia/Vladivostok": gettext_noop("Vladivostok time"),
    "Asia/Magadan": gettext_noop("Magadan time"),
    "Asia/Kamchatka": gettext_noop("Kamchatka time"),
}


class HasZone(Protocol):
    """What a filter needs of a club."""

    timezone: str


class HasAddress(Protocol):
    """What a link needs of a club."""

    slug: str


class HasPlace(Protocol):
    """What a link needs of a slot."""

    pk: int
    area_id: int | None
    date_from: datetime
    date_to: datetime

    @property
    def is_by_interval(self) -> bool: ...


class ClubMoment(datetime):
    """A moment already in its club's zone, which templates must not turn into the server's."""

    convert_to_local_time = False


@register.filter
def money(amount: int | None, currency: str) -> str:
    """Return minor units for people: 150050 RUB is "1 500,50 ₽", in English "₽1,500.50". Whole amounts have no decimals."""
    if amount is None:
        return ""
    value = abs(Money(amount, currency).decimal)
    text = f"{value:,.2f}" if value % 1 else f"{int(value):,}"
    sign, minus = SIGNS.get(currency, currency), "\N{MINUS SIGN}" if amount < 0 else ""
    if _speaks_russian():
        return f"{minus}{text.replace(',', WIDE).replace('.', ',')}{WIDE}{sign}"
    return f"{minus}{sign}{WIDE if sign.isalpha() else ''}{text}"


@register.filter
def shown(cell: object) -> str:
    """Return a cell of a table for people: money with its sign, a day as it is written, a dash for nothing."""
    if isinstance(cell, Money):
        return money(cell.amount, cell.currency)
    if isinstance(cell, date):
        return f"{cell:%d.%m.%Y}"
    return "–" if cell is None else str(cell)


@register.filter
def phone(text: str) -> str:
    """Return a phone as people read it: "+7 912 345-67-89"; what is no phone stays as it is."""
    try:
        number = phonenumbers.parse(text)
    except phonenumbers.NumberParseException:
        return text
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.INTERNATIONAL).replace(" ", WIDE)


@register.filter
def in_zone(moment: datetime | None, club: HasZone) -> ClubMoment | None:
    """Return the moment in the club's zone, ready for the `date` filter."""
    if moment is None:
        return None
    local = to_zone(moment, ZoneInfo(club.timezone))
    return ClubMoment.combine(local.date(), local.timetz())


@register.filter
def clock(moment: datetime, club: HasZone) -> str:
    """Return the club's wall clock: "09:30"."""
    return f"{to_zone(moment, ZoneInfo(club.timezone)):%H:%M}"


@register.simple_tag
def time_of(moment: datetime, club: HasZone) -> SafeString:
    """Return the club's wall clock as a <time> that machines read too."""
    local = to_zone(moment, ZoneInfo(club.timezone))
    return format_html('<time datetime="{}">{}</time>', local.isoformat(timespec="minutes"), f"{local:%H:%M}")


@register.simple_tag
def span_of(start: datetime, end: datetime, club: HasZone) -> SafeString:
    """Return "09:30–11:00" as two <time>s."""
    return format_html("{}{}–{}{}", time_of(start, club), GLUE, GLUE, time_of(end, club))


@register.simple_tag
def zone_of(club: HasZone, moment: datetime) -> str:
    """Name the club's time: "Moscow time (UTC+3)"; a zone without a name of its own keeps that of its city."""
    name = _(ZONES[club.timezone]) if club.timezone in ZONES else club.timezone.replace("_", " ")
    minutes = int((to_zone(moment, ZoneInfo(club.timezone)).utcoffset() or timedelta()).total_seconds() // 60)
    hours, rest = divmod(abs(minutes), 60)
    offset = f"{'-' if minutes < 0 else '+'}{hours}{f':{rest:02}' if rest else ''}"
    return f"{name} (UTC{offset})"


@register.simple_tag
def offer_url(slot: HasPlace, club: HasAddress) -> str:
    """Return where an offered slot, or an interval that somebody chooses, is booked."""
    if slot.is_by_interval:
        minutes = (slot.date_to - slot.date_from) // timedelta(minutes=1)
        return reverse("interval", args=[club.slug, slot.area_id, slot.date_from, minutes])
    return reverse("slot", args=[club.slug, slot.pk])


@register.filter
def lasts(row: object) -> str:
    """Return how long something with `date_from` and `date_to` lasts: "1 h 30 min"."""
    span: timedelta = row.date_to - row.date_from  # type: ignore[attr-defined]
    return length_of(int(span.total_seconds() // 60))


@register.filter
def length_of(minutes: int) -> str:
    """Return minutes as "1 h 30 min"."""
    hours, minutes = divmod(minutes, 60)
    parts = [_("%(count)d h") % {"count": hours}] if hours else []
    parts += [_("%(count)d min") % {"count": minutes}] if minutes or not hours else []
    return WIDE.join(part.replace(" ", WIDE) for part in parts)


@register.filter
def minutes(seconds: int) -> str:
    """Return seconds as whole minutes in words, as in "for 5 minutes"."""
    count = max(1, round(seconds / 60))
    return ngettext("%(count)d minute", "%(count)d minutes", count) % {"count": count}


@register.filter
def countdown(seconds: float) -> str:
    """Return "4:59"."""
    whole = max(0, int(seconds))
    return f"{whole // 60}:{whole % 60:02}"


@register.filter
def places(count: int) -> str:
    """Return "3 places left"."""
    return ngettext("%(count)d place left", "%(count)d places left", count) % {"count": count}


@register.filter
def free_times(count: int) -> str:
    if not count:
        return pgettext("times", "no free times")
    return ngettext("%(count)d free time", "%(count)d free times", count) % {"count": count}


@register.simple_tag(takes_context=True)
def here(context: Context) -> str:
    """Return this page's own address, without what only this visit needs, to come back to."""
    request: HttpRequest | None = context.get("request")
    if request is None:
        return "/"
    query = request.GET.copy()
    for name in ("lang", "n", "was"):
        query.pop(name, None)
    return f"{request.path}?{query.urlencode()}" if query else request.path


def _speaks_russian() -> bool:
    return (get_language() or "ru").startswith("ru")
