"""The addresses of bookings, for customers' applications and for clubs."""

from django.urls import path

from bookings.api import checkout, club, customer, steps

urlpatterns = [
    path("v1/site/bookings/individual", checkout.BookIndividual.as_view(), name="api-book-individual"),
    path("v1/site/bookings/group", checkout.BookGroup.as_view(), name="api-book-group"),
    path("v1/site/checkouts/<slug:token>", checkout.ShowCheckout.as_view(), name="api-checkout"),
    path("v1/user/bookings/<slug:token>", customer.ShowBooking.as_view(), name="api-booking"),
    path("v1/user/bookings/<slug:token>/cancel", customer.CancelBooking.as_view(), name="api-booking-cancel"),
    path("v1/user/bookings/<slug:token>/access", customer.ShowAccess.as_view(), name="api-booking-access"),
    path("v1/club/bookings", club.ClubBookings.as_view(), name="api-club-bookings"),
    path("v1/club/bookings/<int:booking_id>", steps.ClubBooking.as_view(), name="api-club-booking"),
    path("v1/club/bookings/<int:booking_id>/status", steps.ClubBookingStatus.as_view(), name="api-club-booking-status"),
    path("v1/club/bookings/<int:booking_id>/date", steps.ClubBookingDate.as_view(), name="api-club-booking-date"),
    path("v1/club/bookings/<int:booking_id>/close", steps.CloseClubBooking.as_view(), name="api-club-booking-close"),
    path("kuliga/bookings/individual", checkout.KuligaIndividual.as_view(), name="kuliga-individual"),
    path("kuliga/bookings/group", checkout.KuligaGroup.as_view(), name="kuliga-group"),
]
