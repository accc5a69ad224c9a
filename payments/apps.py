from django.apps import AppConfig


class PaymentsConfig(AppConfig):
    name = "payments"

    def ready(self) -> None:
        from payments.services import asking, holding, inbox

        asking.register_calls()
        inbox.register_calls()
        holding.register_owner()
