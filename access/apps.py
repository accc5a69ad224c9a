from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class AccessConfig(AppConfig):
    name = "access"
    verbose_name = _("Doors")

    def ready(self) -> None:
        from access.services import alarming, fitting, installing

        installing.register_calls()
        fitting.register_calls()
        alarming.register_calls()
