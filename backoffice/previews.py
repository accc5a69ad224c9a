"""Previews of long work: what would become of it now, in words, and the work itself as items that wait for a word.

A preview is {"facts": [[label, value]], "head": [...], "rows": [[...]], "refused": [[where, why]], "refused_count": n}.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

from django.utils.formats import date_format
from django.utils.translation import gettext as _

from backoffice.errors import FileRefused
from backoffice.forms_slots import WEEKDAYS, ChangeForm, SeasonForm
from backoffice.importing import Read, Reader
from backoffice.models import MOST_ITEMS, Job
from backoffice.season import Offer, by_weekday, offers
from backoffice.selectors_slots import Choice, chosen
from backoffice.services.jobs import draft_job
from backoffice.services.working import packed, why
from backoffice.sheets import read_table
from clubs.models import Area, Club
from palms.actors import Actor
from palms.clock import now_utc
from palms.errors import ValidationFailed
from palms.templatetags.palms import money
from slots.offers import Draft
from slots.publishing import Outcome, preview_slots

SHOWN = 12  # examples
SHOWN_REFUSED = 100


def draft_season(club: Club, form: SeasonForm, actor: Actor) -> Job:
    """Keep a season that waits for its word. Raises ValidationFailed: nothing to make, or too much."""
    said, zone, season = form.cleaned_data, ZoneInfo(club.timezone), form.season()
    places: list[Area | None] = list(said["areas"]) or [None]
    found = list(islice(offers(season, zone), MOST_ITEMS + 1))
    if len(found) * len(places) > MOST_ITEMS:
        raise ValidationFailed(errors={"last": [_too_many()]})
    now = now_utc()
    coming = [offer for offer in found if offer.start > now]
    instructor = said["instructor"]
    same = {"capacity": said["capacity"], "title": said["title"], "sport_type": said["sport_type"]}
    same |= {"instructor_id": instructor.pk} if instructor else {}
    asked = [(offer, place) for offer in coming for place in places]
    drafts = [_draft_of(offer, place, same) for offer, place in asked]
    outcomes = preview_slots(club_id=club.pk, drafts=drafts, actor=actor)
    words = [_where(offer.start, zone, place or instructor) for offer, place in asked]
    items = [packed(draft, where=where) for draft, where in zip(drafts, words, strict=True)]
    new = [item for item, one in zip(items, outcomes, strict=True) if one.state == "created"]
    if not new:
        raise ValidationFailed(errors={"__all__": [_nothing_new(outcomes)]})
    own = {name for item in new for name in item} - same.keys()
    preview = _season_preview(club, zone, coming, len(found) - len(coming), places, outcomes, words)
    return draft_job(
        club_id=club.pk, kind=Job.Kind.SEASON, same=same, items=[{name: item[name] for name in own & item.keys()} for item in new],
        preview=preview | {"form": _entered(form)}, actor=actor,
    )  # fmt: skip


def _draft_of(offer: Offer, place: Area | None, same: dict[str, Any]) -> Draft:
    return Draft(
        date_from=offer.start, date_to=offer.end, price=offer.price, area_id=place.pk if place else None, **same
    )


def _season_preview(
    club: Club, zone: ZoneInfo, coming: list[Offer], past: int, places: Sequence[Area | None],
    outcomes: list[Outcome], words: list[str],
) -> dict[str, Any]:  # fmt: skip
    made = sum(one.state == "created" for one in outcomes)
    facts = [
        [_("Slots that will be made"), str(made)],
        [_("Places"), ", ".join(str(place) for place in places if place)],
    ]
    if coming:
        first, last = (one.start.astimezone(zone).date() for one in (coming[0], coming[-1]))
        facts.append([_("From and to"), f"{_day(first)} – {_day(last)}"])
    if past:
        facts.append([_("Have begun already and are left out"), str(past * len(places))])
    rows = [
        [
            str(dict(WEEKDAYS)[str(number)]), str(len(week.days)), str(week.count * len(places)),
            f"{week.earliest} – {week.latest[1]}", _prices(club, week.prices),
        ]
        for number, week in by_weekday(coming, zone).items()
    ]  # fmt: skip
    head = [_("Weekday"), _("Days"), _("Slots"), _("Hours"), _("Price")]
    return _preview(facts, head, rows, _refused(words, outcomes))


def draft_change(club: Club, form: ChangeForm, actor: Actor) -> Job:
    """Keep a change of many offers that waits for its word. Raises ValidationFailed: nothing to change, or too much."""
    said, zone = form.cleaned_data, ZoneInfo(club.timezone)
    choice = Choice(
        said["first"], said["last"], frozenset(map(int, said["weekdays"])), [area.pk for area in said["areas"]],
        said["instructor"] and said["instructor"].pk, said["begins"], said["before"],
    )  # fmt: skip
    rows = chosen(club, choice, now=now_utc())
    kind = {ChangeForm.CLOSE: Job.Kind.CLOSE, ChangeForm.REOPEN: Job.Kind.REOPEN}.get(said["what"], Job.Kind.PRICE)
    if kind != Job.Kind.PRICE:
        rows = rows.filter(closed=kind == Job.Kind.REOPEN)
    found: list[Any] = list(rows[: MOST_ITEMS + 1])
    if len(found) > MOST_ITEMS:
        raise ValidationFailed(errors={"last": [_too_many()]})
    prices = {slot.pk: form.price_of(slot) for slot in found} if kind == Job.Kind.PRICE else {}
    changing = [slot for slot in found if prices.get(slot.pk) != slot.price]
    if not changing:
        raise ValidationFailed(errors={"__all__": [_("No such slots: nothing would change. Look at days and hours.")]})
    words = {slot.pk: _where(slot.date_from, zone, slot.area or slot.instructor) for slot in changing}
    items = [[slot.pk, words[slot.pk], *([prices[slot.pk]] if prices else [])] for slot in changing]
    preview = _change_preview(club, changing, prices, words, unchanged=len(found) - len(changing))
    return draft_job(
        club_id=club.pk, kind=kind, same={}, items=items, preview=preview | {"form": _entered(form)}, actor=actor
    )


def _change_preview(
    club: Club, changing: list[Any], prices: dict[int, int], words: dict[int, str], *, unchanged: int
) -> dict[str, Any]:
    taken = sum(slot.has_takers for slot in changing)
    facts = [[_("Slots that will change"), str(len(changing))]]
    if prices:
        facts.append([_("Prices now"), _prices(club, {slot.price for slot in changing})])
        facts.append([_("Prices then"), _prices(club, {prices[slot.pk] for slot in changing})])
    if taken:
        kept = _("%(count)s: their bookings stay as they are") % {"count": taken}
        facts.append([_("Somebody has taken"), kept])
    if unchanged:
        facts.append([_("Are so already"), str(unchanged)])
    rows = [
        [words[slot.pk], money(slot.price, club.currency), money(prices.get(slot.pk, slot.price), club.currency)]
        for slot in changing[:SHOWN]
    ]
    return _preview(facts, [_("For example"), _("Price now"), _("Price then")], rows, [])


def draft_import(club: Club, name: str, content: bytes, actor: Actor) -> Job:
    """Keep the good rows of a table until they are imported; tell of the others. Raises FileRefused."""
    header, rows = read_table(name, content)
    read = Reader(club).read(header, rows)
    outcomes = preview_slots(club_id=club.pk, drafts=[one.draft for one in read], actor=actor)
    words = [_("Row %(number)s: %(words)s") % {"number": one.number, "words": one.words} for one in read]
    counts = Counter(one.state for one in outcomes)
    good = [
        (one, draft, where)
        for one, outcome, where in zip(read, outcomes, words, strict=True)
        if outcome.state == "created" and isinstance(draft := one.draft, Draft)
    ]
    refused = _refused(words, outcomes)
    facts = [
        [_("File"), name[:100]], [_("Rows"), str(len(read))], [_("Slots that will be made"), str(counts["created"])],
        [_("Are there already"), str(counts["unchanged"])], [_("Rows with errors, left out"), str(len(refused))],
    ]  # fmt: skip
    zone = ZoneInfo(club.timezone)
    examples = [_example(club, zone, one, draft) for one, draft, _where_ in good[:SHOWN]]
    preview = _preview(facts, [_("Row"), _("What"), _("Hours"), _("Price")], examples, refused)
    if not good:
        raise NothingGood(preview)
    items = [packed(draft, where=where) for _one, draft, where in good]
    return draft_job(club_id=club.pk, kind=Job.Kind.IMPORT, same={}, items=items, preview=preview, actor=actor)


class NothingGood(FileRefused):
    """Of a table no row can be imported; `preview` says why."""

    def __init__(self, preview: dict[str, Any]) -> None:
        super().__init__(_("No row of this file can be imported."))
        self.preview = preview


def _example(club: Club, zone: ZoneInfo, one: Read, draft: Draft) -> list[str]:
    start, end = draft.date_from.astimezone(zone), draft.date_to.astimezone(zone)
    return [str(one.number), one.words, f"{start:%H:%M} – {end:%H:%M}", money(draft.price, club.currency)]


def _preview(
    facts: list[list[str]], head: list[str], rows: list[list[str]], refused: list[list[str]]
) -> dict[str, Any]:
    shown = refused[:SHOWN_REFUSED]
    return {"facts": facts, "head": head, "rows": rows, "refused": shown, "refused_count": len(refused)}


def _refused(words: Iterable[str], outcomes: Iterable[Outcome]) -> list[list[str]]:
    pairs = zip(words, outcomes, strict=True)
    return [[where, why(one.refusal)[:500]] for where, one in pairs if one.refusal is not None]


def _prices(club: Club, found: set[int]) -> str:
    low, high = money(min(found), club.currency), money(max(found), club.currency)
    return low if low == high else f"{low} – {high}"


def _where(start: datetime, zone: ZoneInfo, place: object) -> str:
    local = start.astimezone(zone)
    return f"{local:%d.%m.%Y %H:%M}, {place}"


def _day(day: date) -> str:
    return str(date_format(day, "j E Y"))


def _nothing_new(outcomes: list[Outcome]) -> str:
    if not outcomes:
        return _("No slot fits into these days and hours.")
    return _("All %(count)s of these slots are offered already.") % {"count": len(outcomes)}


def _too_many() -> str:
    return _("At most %(most)s slots at once: choose less.") % {"most": MOST_ITEMS}


def _entered(form: SeasonForm | ChangeForm) -> dict[str, list[str]]:
    """Return what was typed, to be changed after the preview."""
    typed: Any = form.data
    return {name: typed.getlist(name) for name in form.fields if name in typed}
