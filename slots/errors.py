"""Refusals about places and times."""

from collections.abc import Mapping

from django.utils.translation import gettext_lazy as _

from palms.errors import DomainError, NotFound, ValidationFailed


class SlotNotFound(NotFound):
    title = _("There is no such time")


class SlotTaken(DomainError):
    code, title = "slot_taken", _("This time has just been taken")


class SlotClosed(DomainError):
    code, title = "slot_closed", _("The club has closed this time")


class SlotInPast(DomainError):
    code, title = "slot_in_past", _("This time has already begun")


class SlotDuplicate(DomainError):
    code, title = "slot_duplicate", _("The same time is already offered")


class SlotInUse(DomainError):
    """Somebody has a place of it, for good or for a while: its dates, area and taken places stay."""

    code, title = "slot_in_use", _("Somebody has taken this time, so it cannot be changed like that")


class SlotNotOffered(ValidationFailed):
    """Made for a party that chose its interval: it changes with its booking only."""

    title = _("This time was chosen by a customer: move or cancel the booking instead")


class StatusNotSettable(DomainError):
    code, title, status = "status_not_settable", _("The status can be set to AVAILABLE or CLOSED only"), 400


class SomeRefused(DomainError):
    """Of many rows some are refused, so none is written. Code and status are the first one's; `refused` lists 100."""

    MOST = 100

    def __init__(self, refusals: Mapping[int, DomainError]) -> None:
        first = next(iter(refusals.values()))
        shown = list(refusals.items())[: self.MOST]
        rows = [{"index": index, "code": one.code, "title": str(one), **one.facts} for index, one in shown]
        super().__init__(refused_count=len(refusals), refused=rows)
        self.code, self.title, self.status = first.code, first.title, first.status  # type: ignore[misc]
