"""Addresses of the bookings room. The secret ones carry a random token and nothing else."""

from django.urls import path, register_converter

from bookings import views


class TokenConverter:
    regex = "[A-Za-z0-9_-]{8,64}"

    def to_python(self, value: str) -> str:
        return value

    def to_url(self, value: str) -> str:
        return value


class RowConverter:
    """An id that fits a bigint: anything longer is no row of ours."""

    regex = "[0-9]{1,18}"

    def to_python(self, value: str) -> int:
        return int(value)

    def to_url(self, value: int) -> str:
        return str(value)


register_converter(TokenConverter, "token")
register_converter(RowConverter, "row")

urlpatterns = [
    path("checkout/<token:token>/", views.CheckoutStatus.as_view(), name="checkout-status"),
    path("checkout/<token:token>/return/", views.CheckoutReturn.as_view(), name="checkout-return"),
    path("checkout/<token:token>/release/", views.ReleaseHold.as_view(), name="checkout-release"),
    path("booking/<token:token>/", views.BookingPage.as_view(), name="booking"),
    path("booking/<token:token>/pay/", views.PayForApproved.as_view(), name="booking-pay"),
    path("booking/<token:token>/cancel/", views.CancelBooking.as_view(), name="booking-cancel"),
    path("<slug:slug>/slots/<row:slot_id>/", views.CheckoutPage.as_view(), name="slot"),
]
