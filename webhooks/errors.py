"""Refusals of the webhooks room."""

from django.utils.translation import gettext_lazy as _

from palms.errors import DomainError


class TooManyEndpoints(DomainError):
    code, title = "too_many_endpoints", _("A club has at most ten endpoints")


class EndpointOff(DomainError):
    code, title = "endpoint_off", _("This endpoint is turned off; turn it on first")
