"""All addresses. Clubs choose their own first word, so everything of ours stands before them."""

from django.contrib import admin
from django.urls import include, path

from palms import views

handler400 = views.bad_request
handler403 = views.permission_denied
handler404 = views.not_found
handler500 = views.server_error

urlpatterns = [
    path("health/live", views.live, name="health-live"),
    path("health/ready", views.ready, name="health-ready"),
    path("language/", views.language, name="language"),
    path("admin/", admin.site.urls),
    path("", include("palms.api_urls")),
    path("", include("access.api")),
    path("", include("clubs.urls")),
    path("", include("bookings.urls")),
    path("", include("slots.urls")),
]
