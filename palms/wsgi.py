"""The WSGI door: `gunicorn palms.wsgi`."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "palms.settings")
application = get_wsgi_application()
