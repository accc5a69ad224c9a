"""Refusals about places and times."""

from django.utils.translation import gettext_lazy as _

from palms.errors import DomainError, NotFound


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
