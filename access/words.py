"""Troubles of locks in people's words. Stored is the class of a trouble and the provider's number, as in "Unreachable -3002"."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

WORDS = {
    "Unreachable": _("does not answer: the lock or its gateway is offline"),
    "Busy": _("the gateway is busy"),
    "NotOurTurn": _("waits for its turn at the gateway"),
    "Unsure": _("no clear answer from TTLock"),
    "Full": _("the lock's memory is full"),
    "SignedOut": _("TTLock does not accept our sign-in any more: enter the password again"),
    "Misconfigured": _("TTLock refuses the account, the application or the lock"),
    "Forbidden": _("the account has no right to this lock: it must be the lock's administrator"),
    "WrongClock": _("the clock of the server is wrong"),
    "QuotaSpent": _("the month's calls at TTLock are used up"),
    "Defect": _("TTLock does not understand the request"),
    "Taken": _("the lock refuses these digits"),
}


def in_words(trouble: str) -> str:
    """Return a stored trouble for people, with the provider's number, which its support asks for."""
    name, _space, code = trouble.partition(" ")
    return f"{WORDS[name]} ({code})" if name in WORDS and code else str(WORDS.get(name, trouble))
