"""Refusals of the clubs room."""

from django.utils.translation import gettext_lazy as _

from palms.errors import NotFound


class ClubNotFound(NotFound):
    title = _("There is no such club")
