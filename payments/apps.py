from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class PaymentsConfig(AppConfig):
    name = "payments"
    verbose_name = _("Money")

    def ready(self) -> None:
        from payments.services import asking, holding, inbox, reconciling

        asking.register_calls()
        inbox.register_calls()
        reconciling.register_calls()
        holding.register_owner()
