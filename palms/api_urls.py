"""Every address of the API. Rooms are named, not imported: each keeps its own addresses below its views."""

from django.urls import include, path, re_path

from palms.api import UnknownAddress
from palms.document import BrowseDocument, ShowDocument

urlpatterns = [
    path("api/docs/", BrowseDocument.as_view(), name="api-document-page"),
    path("api/v1/openapi.json", ShowDocument.as_view(), name="api-document"),
    path("api/v1/", include("clubs.api")),
    path("api/v1/", include("webhooks.api")),
    path("api/v1/", include("clients.api")),
    path("api/v1/", include("slots.api")),
    path("api/v1/", include("slots.club_api")),
    path("api/v1/", include("bookings.reports_api")),
    path("api/", include("bookings.api")),
    path("", include("payments.api")),
    re_path(r"^api/", UnknownAddress.as_view()),  # the last: a wrong address below /api/ answers like the rest of it
]
