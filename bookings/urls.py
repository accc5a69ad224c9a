"""Addresses of the bookings room. The secret ones carry a random token and nothing else."""

from django.urls import path, register_converter

from bookings import views, views_checkout, views_find, views_stay
from palms import converters  # noqa: F401  makes <moment> known


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
    path("find/", views_find.FindBookings.as_view(), name="find"),
    path("find/sent/", views_find.LinksSent.as_view(), name="find-sent"),
    path("<slug:slug>/find/", views_find.FindBookings.as_view(), name="club-find"),
    path("<slug:slug>/find/sent/", views_find.LinksSent.as_view(), name="club-find-sent"),
    path("checkout/<token:token>/", views.CheckoutStatus.as_view(), name="checkout-status"),
    path("checkout/<token:token>/return/", views.CheckoutReturn.as_view(), name="checkout-return"),
    path("checkout/<token:token>/release/", views.ReleaseHold.as_view(), name="checkout-release"),
    path("booking/<token:token>/", views.BookingPage.as_view(), name="booking"),
    path("booking/<token:token>/calendar.ics", views.BookingCalendar.as_view(), name="booking-calendar"),
    path("booking/<token:token>/door/", views.Door.as_view(), name="booking-door"),
    path("booking/<token:token>/pay/", views.PayForApproved.as_view(), name="booking-pay"),
    path("booking/<token:token>/stay/", views_stay.Stay.as_view(), name="booking-stay"),
    path("booking/<token:token>/left/", views_stay.Leave.as_view(), name="booking-left"),
    path("booking/<token:token>/overdue/", views_stay.PayForStaying.as_view(), name="booking-overdue"),
    path("overdue/<token:token>/return/", views_stay.OverdueReturn.as_view(), name="overdue-return"),
    path("booking/<token:token>/cancel/", views.CancelBooking.as_view(), name="booking-cancel"),
    path("<slug:slug>/slots/<row:slot_id>/", views_checkout.CheckoutPage.as_view(), name="slot"),
    path(
        "<slug:slug>/areas/<row:area_id>/<moment:start>/<row:minutes>/",
        views_checkout.IntervalPage.as_view(),
        name="interval",
    ),
]
