"""The site's addresses, and one behind which something is broken."""

from django.http import HttpRequest, HttpResponse
from django.urls import path

from palms import urls

handler400, handler403, handler404, handler500 = urls.handler400, urls.handler403, urls.handler404, urls.handler500


def broken(request: HttpRequest) -> HttpResponse:
    raise RuntimeError("a defect")


urlpatterns = [path("broken/", broken), *urls.urlpatterns]
