from django.apps import AppConfig


class BookingsConfig(AppConfig):
    name = "bookings"

    def ready(self) -> None:
        from bookings import messages
        from bookings.services import confirming, ending
        from payments import targets
        from slots import owners

        owners.register(rank=2, lock=ending.lock_dead, end=ending.end_dead)
        targets.register(
            "booking",
            targets.Target(
                door=confirming.confirm_booking_payment, give_up=confirming.give_up, return_url=messages.return_url
            ),
        )
        messages.register_composers()
