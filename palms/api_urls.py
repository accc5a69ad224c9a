"""Every address of the API. Rooms are named, not imported: each keeps its own addresses below its views."""

from django.urls import include, path, re_path

from palms.api import UnknownAddress

urlpatterns = [
    path("api/v1/", include("clubs.api")),
    path("api/v1/", include("slots.api")),
    path("api/", include("bookings.api")),
    path("", include("payments.api")),
    re_path(r"^api/", UnknownAddress.as_view()),  # the last: a wrong address below /api/ answers like the rest of it
]
