"""Taking one step of a service on many rows of a list."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.db import OperationalError, models
from django.http import HttpRequest
from django.utils.translation import gettext as _t

from palms.errors import DatabaseUnavailable, DomainError, ValidationFailed, is_busy

MOST_AT_ONCE = 100


class TakesSteps:
    """Mixed into PalmsAdmin."""

    def each(
        self: Any, request: HttpRequest, rows: models.QuerySet[Any], step: Callable[[int], object], done: str
    ) -> None:
        """Take a step of a service on every chosen row, one by one; a refusal is a message and stops nobody else."""
        ids = list(rows.order_by("pk").values_list("pk", flat=True)[: MOST_AT_ONCE + 1])
        if len(ids) > MOST_AT_ONCE:
            self.message_user(request, _t("Choose at most %d rows at once.") % MOST_AT_ONCE, messages.ERROR)
            return
        taken = 0
        for pk in ids:
            try:
                step(pk)
                taken += 1
            except DomainError as refusal:
                self.message_user(request, f"{pk}: {words_of(refusal)}", messages.ERROR)
            except OperationalError as error:
                if not is_busy(error):
                    raise
                self.message_user(request, f"{pk}: {DatabaseUnavailable.title}", messages.ERROR)
        if taken:
            self.message_user(request, f"{done}: {taken}", messages.SUCCESS)


def words_of(refusal: DomainError) -> str:
    """Return a refusal with the messages of its fields, where it has any."""
    fields = refusal.facts.get("errors", {}) if isinstance(refusal, ValidationFailed) else {}
    return " ".join([str(refusal), *(str(text) for texts in fields.values() for text in texts)])
