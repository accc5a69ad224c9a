"""Addresses of the slots room. They begin with a club's own address, so they come last in palms.urls."""

from django.urls import path

from palms import converters  # noqa: F401  makes <moment> known
from slots.views import ChooseLength, ClubDay

urlpatterns = [
    path("<slug:slug>/", ClubDay.as_view(), name="club-day"),
    path("<slug:slug>/areas/<int:area_id>/<moment:start>/", ChooseLength.as_view(), name="interval-start"),
]
