"""The WSGI door: `gunicorn palms.wsgi`."""

import os
from collections.abc import Iterable
from io import BytesIO
from wsgiref.types import StartResponse, WSGIEnvironment

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "palms.settings")
MOST = 8_000_000  # bytes kept of a body in chunks; more than any call reads, so what is longer is too large
_django = get_wsgi_application()


def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Answer a request."""
    return _django(_measured(environ), start_response)


def _measured(environ: WSGIEnvironment) -> WSGIEnvironment:
    """Give a body that comes in chunks, as some clients send all theirs, its length: Django takes one without for empty."""
    if "HTTP_TRANSFER_ENCODING" not in environ or not environ.get("wsgi.input_terminated"):
        return environ
    try:
        body = environ["wsgi.input"].read(MOST)
    except OSError:  # cut off, or no chunks after all
        return environ
    return environ | {"CONTENT_LENGTH": str(len(body)), "wsgi.input": BytesIO(body)}
