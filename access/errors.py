"""Refusals of the access room."""

from django.utils.translation import gettext_lazy as _

from palms.errors import DomainError, NotFound


class AccessNotOpen(DomainError):
    """The door code is asked for outside its time, or of a booking that has no right to one (any more)."""

    code, title, status = "access_not_open", _("The door opens only during the booking"), 403


class NoLock(NotFound):
    title = _("There is no lock here")


class CodeNotReady(DomainError):
    """The door may be opened, and its code is still on its way to the lock."""

    code, title, status = "access_preparing", _("Opening is being prepared"), 409


class LockInUse(DomainError):
    code, title = "lock_in_use", _("Codes of running bookings are on this lock")
