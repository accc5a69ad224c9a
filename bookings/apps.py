from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class BookingsConfig(AppConfig):
    name = "bookings"
    verbose_name = _("Bookings")

    def ready(self) -> None:
        from bookings import messages
        from bookings.services import confirming, ending, fee_door, to_club
        from payments import targets
        from slots import owners

        owners.register(rank=2, lock=ending.lock_dead, end=ending.end_dead)
        targets.register(
            "booking",
            targets.Target(
                door=confirming.confirm_booking_payment,
                give_up=confirming.give_up,
                return_url=messages.return_url,
                payer=messages.payer_of,
            ),
        )
        targets.register(
            "overdue",
            targets.Target(
                door=fee_door.confirm_fee_payment,
                give_up=fee_door.give_up,
                return_url=messages.fee_return_url,
                payer=messages.payer_of,
            ),
        )
        messages.register_composers()
        to_club.register_calls()
