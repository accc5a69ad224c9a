"""What a new club still needs before its first customer, read in one go."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.urls import reverse
from django.utils.translation import gettext as _

from access.models import LockAccount
from backoffice.models import Job
from backoffice.services.checking import fingerprint
from backoffice.services.inviting import open_of
from clubs.models import Area, Club, Hours, Instructor, Membership
from clubs.selectors import zone_of
from palms.clock import to_zone
from payments.models import ProviderAccount
from slots.selectors import OfferView, nearest_free, nearest_intervals


@dataclass(frozen=True, slots=True)
class Check:
    """An account whose connection can be tried, and what came of the last try with these credentials."""

    kind: str
    account_id: int
    name: str
    job: Job | None

    @property
    def works(self) -> bool:
        return self.job is not None and self.job.state == Job.State.DONE


@dataclass(frozen=True, slots=True)
class Step:
    """`link` is the exact place where it is done, `action` what its button says. `step`: done here, by a POST."""

    key: str
    title: str
    words: str
    is_done: bool
    link: str
    action: str
    is_optional: bool = False
    checks: tuple[Check, ...] = ()
    step: str = ""


def steps(club: Club, *, now: datetime) -> list[Step]:
    """Return the steps in the order in which they are best taken."""
    first = _first_offer(club, now)
    return [
        _details(club), _places(club), _offers(club, first), _money(club), _locks(club), _staff(club), _shown(club),
        _bookable(club, first),
    ]  # fmt: skip


def _first_offer(club: Club, now: datetime) -> OfferView | None:
    found = [
        *nearest_free(club=club, around=now, now=now, limit=1),
        *nearest_intervals(club=club, around=now, now=now, limit=1),
    ]
    return min(found, key=lambda offer: offer.slot.date_from, default=None)


def _details(club: Club) -> Step:
    missing = [words for words, value in ((_("postal address"), club.address), (_("phone"), club.phone)) if not value]
    words = _("Customers see them beside each booking.")
    if missing:
        words += " " + _("Missing: %(what)s.") % {"what": ", ".join(missing)}
    link = reverse("admin:clubs_club_change", args=[club.pk])
    return Step("details", _("Address, phone and rules of the club"), words, not missing, link, _("Open the settings"))


def _places(club: Club) -> Step:
    areas = Area.objects.filter(club=club, is_active=True)
    done = areas.exists() or Instructor.objects.filter(club=club, is_active=True).exists()
    link = reverse("admin:clubs_area_add") + "?" + urlencode({"club": club.pk})
    return Step("areas", _("A court, a hall or an instructor"), _("What customers book."), done, link, _("Add an area"))


def _offers(club: Club, first: OfferView | None) -> Step:
    by_interval = Hours.objects.filter(club=club, area__is_active=True, area__booked_by=Area.BookedBy.INTERVAL)
    words = _("Generate a season, import a table, or give an area opening hours so that customers choose themselves.")
    link = reverse("admin:slot-season") + "?" + urlencode({"club": club.pk})
    done = first is not None or by_interval.exists()
    return Step("slots", _("Times that can be booked"), words, done, link, _("Generate a season"))


def _money(club: Club) -> Step:
    accounts = ProviderAccount.objects.filter(club=club, is_default=True).order_by("pk")
    checks = _checks(club, Job.Kind.CHECK_BANK, accounts)
    words = _("Enter the shop id and the secret key of YooKassa, and check the connection. Free slots need none.")
    link = reverse("admin:payments_provideraccount_add") + "?" + urlencode({"club": club.pk})
    if checks:
        link = reverse("admin:payments_provideraccount_change", args=[checks[0].account_id])
    done = bool(checks) and all(check.works for check in checks)
    action = _("Open the account") if checks else _("Connect an account")
    return Step("money", _("A payment account that works"), words, done, link, action, checks=checks)


def _locks(club: Club) -> Step:
    checks = _checks(club, Job.Kind.CHECK_LOCKS, LockAccount.objects.filter(club=club).order_by("pk"))
    words = _("Only where doors open by a code: the TTLock account that the locks are shared with.")
    link = reverse("admin:access_lockaccount_add") + "?" + urlencode({"club": club.pk})
    if checks:
        link = reverse("admin:access_lockaccount_change", args=[checks[0].account_id])
    done = bool(checks) and all(check.works for check in checks)
    action = _("Open the account") if checks else _("Connect locks")
    return Step("locks", _("Locks"), words, done, link, action, is_optional=True, checks=checks)


def _staff(club: Club) -> Step:
    done = Membership.objects.filter(club=club).count() > 1 or open_of(club.pk).exists()
    link = reverse("admin:staff") + "?" + urlencode({"club": club.pk})
    words = _("Each gets a letter with a link and chooses a password. Nobody shares a login.")
    return Step("staff", _("The people who work here"), words, done, link, _("Invite staff"), is_optional=True)


def _shown(club: Club) -> Step:
    words = _("Until then only staff see the club. It can be hidden again in the settings.")
    link = reverse("admin:clubs_club_change", args=[club.pk])
    action = _("Open the settings") if club.is_public else _("Show to customers")
    return Step("public", _("Shown to customers"), words, club.is_public, link, action, step="show")


def _bookable(club: Club, first: OfferView | None) -> Step:
    title, link = _("The first time that a customer can book"), reverse("club-day", args=[club.slug])
    if first is None:
        words = _("None yet: no free time between the minimum notice and the horizon of the club.")
        return Step("first", title, words, False, link, _("What customers see"))
    start = to_zone(first.slot.date_from, zone_of(club))
    words = f"{start:%d.%m.%Y %H:%M}, {first.slot.area or first.slot.instructor}"
    link += "?" + urlencode({"day": f"{start:%Y-%m-%d}"})
    return Step("first", title, words, club.is_public, link, _("What customers see"))


def _checks(club: Club, kind: str, accounts: Any) -> tuple[Check, ...]:
    found = list(accounts[:10])
    tried = Job.objects.filter(club=club, kind=kind, subject_id__in=[account.pk for account in found])
    latest = {job.subject_id: job for job in tried.order_by("subject_id", "-pk").distinct("subject_id")}
    return tuple(Check(kind, account.pk, str(account), _current(latest.get(account.pk), account)) for account in found)


def _current(job: Job | None, account: Any) -> Job | None:
    return job if job is not None and job.fingerprint == fingerprint(account.credentials) else None
