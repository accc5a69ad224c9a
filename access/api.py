"""Where TTLock tells what happened at the locks. Bodies are never logged: they hold codes and people's movements."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.csrf import csrf_exempt

from access.services.recording import is_callback, receive_records
from palms.errors import NotFound, ValidationFailed

LARGEST = 256 * 1024


@method_decorator(csrf_exempt, name="dispatch")
class LockRecords(View):
    """Store form fields as they come under the secret address, and say "success": also to a repeat, and to what is not ours."""

    def post(self, request: HttpRequest, secret: str) -> HttpResponse:
        if not is_callback(secret):
            raise NotFound
        if int(request.META.get("CONTENT_LENGTH") or 0) > LARGEST:
            return HttpResponse("too large", status=413, content_type="text/plain")
        try:
            receive_records({name: str(value) for name, value in request.POST.items()})
        except ValidationFailed as wrong:
            return HttpResponse(f"not read: {sorted(wrong.facts['errors'])}", status=400, content_type="text/plain")
        return HttpResponse("success", content_type="text/plain")


urlpatterns = [path("locks/ttlock/<str:secret>", LockRecords.as_view(), name="lock-records")]
