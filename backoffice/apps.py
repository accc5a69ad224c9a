from typing import Any

from django.apps import AppConfig
from django.contrib import admin
from django.utils.translation import gettext_lazy as _


class BackofficeConfig(AppConfig):
    name = "backoffice"
    verbose_name = _("Back office")

    def ready(self) -> None:
        from backoffice.column_words import name_columns
        from backoffice.list_words import tell_lists
        from backoffice.search import search
        from backoffice.services import checking, inviting, jobs, recovering
        from backoffice.urls import page_urls

        site: Any = admin.site
        site.extra_urls = page_urls  # unfold puts them before the admin's own
        for room in (jobs, checking, inviting, recovering):
            room.register_calls()
        name_columns()
        tell_lists()
        site.search = search  # the theme's own keeps what it found for five minutes, whoever looks then
