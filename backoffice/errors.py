"""Refusals of the back office."""

from django.utils.translation import gettext_lazy as _

from palms.errors import DomainError, NotFound


class JobNotFound(NotFound):
    title = _("There is no such work")


class JobNotWaiting(DomainError):
    code, title = "job_not_waiting", _("This work has begun already, or is over")


class PreviewTooOld(DomainError):
    code, title = "preview_too_old", _("This preview is from another day: make a new one")


class FileRefused(DomainError):
    """A file that cannot be read; the words say what to do about it."""

    code, title, status = "file_refused", _("This file cannot be read"), 400

    def __init__(self, words: str) -> None:
        super().__init__(errors={"file": [words]})
        self.words = words

    def __str__(self) -> str:
        return self.words


class InvitationInvalid(NotFound):
    """Never was, has been used, withdrawn or replaced, or is too old: all look the same."""

    title = _("This invitation is not valid any more. Ask the club for a new one.")


class SignInFirst(DomainError):
    code, title, status = "sign_in_first", _("Sign in with the account that was invited, then open the link again"), 403


class LinkInvalid(NotFound):
    """Of a letter for a new password: used, too old, or somebody else's; all look the same."""

    title = _("This link is not valid any more: it works once, for a short time.")
