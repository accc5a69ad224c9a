"""Addresses of the slots room. They begin with a club's own address, so they come last in palms.urls."""

from django.urls import path

from slots.views import ClubDay

urlpatterns = [path("<slug:slug>/", ClubDay.as_view(), name="club-day")]
