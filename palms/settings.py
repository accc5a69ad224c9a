"""One settings module, read from the environment; .env.example lists every name. Safe by default."""

from datetime import timedelta
from pathlib import Path

import environ
from csp.constants import NONCE, SELF
from django.core.exceptions import ImproperlyConfigured
from django.utils.translation import gettext_lazy as _

from palms import backoffice_settings, openapi_settings

BASE_DIR = Path(__file__).resolve().parent.parent
env = environ.Env()

DEMO = env.bool("PALMS_DEMO", default=False)  # `make run` and tests: http cookies, mail into files
DEBUG = env.bool("PALMS_DEBUG", default=False)


def _needed(name: str) -> str:
    """Return a value that production cannot do without."""
    value = env.str(name, default="")
    if not value:
        raise ImproperlyConfigured(f"Set {name}: Palms does not start without it (see .env.example).")
    return value


SECRET_KEY = _needed("PALMS_SECRET_KEY")
PALMS_FIELD_KEYS = [key for key in _needed("PALMS_FIELD_KEYS").split(",") if key]
_needed("DATABASE_URL")
BASE_URL = _needed("PALMS_BASE_URL").rstrip("/")  # https://book.example.com: links in mail, return address at the bank
ALLOWED_HOSTS = [host for host in _needed("PALMS_ALLOWED_HOSTS").split(",") if host]
CSRF_TRUSTED_ORIGINS = [BASE_URL]
CSRF_FAILURE_VIEW = "palms.views.csrf_failed"

INSTALLED_APPS = [
    "unfold",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.postgres",
    "django.contrib.sessions",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "axes",
    "django_otp",
    "django_filters",
    "django_fsm",
    "pgtrigger",
    "pghistory",
    "rest_framework",
    "drf_spectacular",
    "palms",
    "clubs",
    "webhooks",
    "clients",
    "slots",
    "payments",
    "access",
    "notifications",
    "bookings",
    "backoffice",
]
MIDDLEWARE = [
    "palms.middleware.HealthMiddleware",
    "django.middleware.gzip.GZipMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "palms.middleware.FeaturesMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "palms.middleware.LanguageMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django_otp.middleware.OTPMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "palms.middleware.BackOfficeMiddleware",
    "palms.middleware.RefusalMiddleware",
    "clubs.middleware.StaffMiddleware",
    "palms.middleware.StaffHistoryMiddleware",
    "axes.middleware.AxesMiddleware",
]
ROOT_URLCONF = "palms.urls"
WSGI_APPLICATION = "palms.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "csp.context_processors.nonce",
            ],
            "builtins": ["palms.templatetags.palms"],
        },
    }
]

DATABASES = {"default": env.db_url("DATABASE_URL")}
DATABASES["default"] |= {
    "CONN_MAX_AGE": 60,
    "CONN_HEALTH_CHECKS": True,
    "ATOMIC_REQUESTS": False,
}
DATABASES["default"].setdefault("OPTIONS", {}).setdefault(
    "options",
    # A row lock is waited for 2.5 s (then 503); what a frozen process holds is freed after 20 s.
    "-c lock_timeout=2500 -c idle_in_transaction_session_timeout=20000 -c statement_timeout=20000 -c timezone=UTC",
)
for _name, _value in {
    "connect_timeout": 3,
    "tcp_user_timeout": 10_000,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
}.items():  # a server that vanishes without a word is given up in seconds
    DATABASES["default"]["OPTIONS"].setdefault(_name, _value)
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
PGHISTORY_APPEND_ONLY = True

AUTH_USER_MODEL = "clubs.User"
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("UserAttributeSimilarityValidator", "MinimumLengthValidator", "CommonPasswordValidator")
]
LOGIN_URL = "admin:login"
PASSWORD_RESET_TIMEOUT = 7200  # seconds that the link of a letter works
AUTHENTICATION_BACKENDS = ["axes.backends.AxesStandaloneBackend", "django.contrib.auth.backends.ModelBackend"]
# Whoever signs in to the back office shows a code of their telephone too; in the demo only who has set one up.
PALMS_REQUIRE_TWO_FACTOR = env.bool("PALMS_REQUIRE_TWO_FACTOR", default=not DEMO)

# Five wrong passwords for one name from one address: a quarter of an hour of rest. Kept in PostgreSQL, without passwords.
AXES_FAILURE_LIMIT, AXES_COOLOFF_TIME = 5, timedelta(minutes=15)
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_RESET_ON_SUCCESS, AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = True, False
AXES_USERNAME_CALLABLE, AXES_CLIENT_IP_CALLABLE = "palms.visitors.name_typed", "palms.visitors.address_of"
AXES_LOCKOUT_CALLABLE = "palms.visitors.locked_out"
AXES_SENSITIVE_PARAMETERS = ["username", "ip_address", "csrfmiddlewaretoken"]
AXES_ENABLE_ADMIN = AXES_VERBOSE = False
AXES_DISABLE_ACCESS_LOG = True  # clubs.StaffSession tells who is signed in

LANGUAGE_CODE = "ru"
LANGUAGES = [("ru", _("Russian")), ("en", _("English"))]
LOCALE_PATHS = [BASE_DIR / "locale"]
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = True

STATIC_URL = "/static/"
STATIC_ROOT = Path(env.str("PALMS_STATIC_ROOT", default=str(BASE_DIR / "staticfiles")))
WHITENOISE_USE_FINDERS = DEMO
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": (
            "django.contrib.staticfiles.storage.StaticFilesStorage"
            if DEMO
            else "whitenoise.storage.CompressedManifestStaticFilesStorage"
        )
    },
}

# Mail: smtp://user:password@host:587/?tls=True, or files in the demo.
if env.str("PALMS_MAIL_DIR", default=""):
    EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
    EMAIL_FILE_PATH = env.str("PALMS_MAIL_DIR")
else:
    vars().update(env.email_url_config(_needed("EMAIL_URL")))
EMAIL_TIMEOUT = 15
DEFAULT_FROM_EMAIL = env.str("PALMS_FROM_EMAIL", default="Palms <palms@localhost>")

WEB_THREADS = env.int("WEB_THREADS", default=16)  # of one web process: see palms/seats.py

# The broker speeds things up and is never needed: without it a sweep over PostgreSQL does the same.
CELERY_BROKER_URL = env.str("REDIS_URL", default="")
CELERY_TASK_IGNORE_RESULT = True
CELERY_BROKER_CONNECTION_TIMEOUT = 1
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "socket_timeout": 1,
    "socket_connect_timeout": 1,
    "visibility_timeout": 300,
    "max_retries": 0,  # of a connection to send by: else 2 s of a customer's time. Worker and beat try for ever
}
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_TASK_TIME_LIMIT = 300
CELERY_DB_REUSE_MAX = 500  # tasks; else Celery connects anew for each, which costs PostgreSQL more than most of them
CELERY_BEAT_SCHEDULE = {
    "intents": {"task": "palms.run_due_intents", "schedule": 5.0, "options": {"expires": 5}},
    "reconciliation": {"task": "payments.reconcile", "schedule": 3600.0, "options": {"expires": 3600}},
    "forgetting": {"task": "palms.forget_old", "schedule": 3600.0, "options": {"expires": 3600}},
    "holds": {"task": "bookings.end_expired", "schedule": 15.0, "options": {"expires": 15}},
    "lock-records": {"task": "access.forget_old", "schedule": 3600.0, "options": {"expires": 3600}},
    "visits": {"task": "bookings.look_after", "schedule": 30.0, "options": {"expires": 30}},
    "webhooks": {"task": "webhooks.deliver_due", "schedule": 5.0, "options": {"expires": 5}},
    "webhooks-log": {"task": "webhooks.forget_old", "schedule": 3600.0, "options": {"expires": 3600}},
}

YOOKASSA_API_URL = env.str("YOOKASSA_API_URL", default="https://api.yookassa.ru/v3").rstrip("/")
YOOKASSA_SHOP_ID = env.str("YOOKASSA_SHOP_ID", default="")  # for clubs whose account has no credentials of its own
YOOKASSA_SECRET_KEY = env.str("YOOKASSA_SECRET_KEY", default="")

# Webhooks to addresses inside our own network, and over http: for development only.
PALMS_WEBHOOKS_ALLOW_PRIVATE = env.bool("PALMS_WEBHOOKS_ALLOW_PRIVATE", default=False)

TTLOCK_API_URL = env.str("TTLOCK_API_URL", default="https://euapi.ttlock.com").rstrip("/")
TTLOCK_CLIENT_ID = env.str(
    "TTLOCK_CLIENT_ID", default=""
)  # Palms' registration at TTLock; accounts of clubs stand on it
TTLOCK_CLIENT_SECRET = env.str("TTLOCK_CLIENT_SECRET", default="")
TTLOCK_CALLBACK_SECRET = env.str("TTLOCK_CALLBACK_SECRET", default="")  # of the address that TTLock reports to

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [],
    "DEFAULT_PERMISSION_CLASSES": [],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "EXCEPTION_HANDLER": "palms.problems.problem_handler",
    "DEFAULT_SCHEMA_CLASS": "palms.openapi.Schema",
    "UNAUTHENTICATED_USER": None,
    "URL_FORMAT_OVERRIDE": None,  # `?format=` is an unknown filter like any other
}
UNFOLD = backoffice_settings.SETTINGS
SPECTACULAR_SETTINGS = openapi_settings.SETTINGS
DATA_UPLOAD_MAX_MEMORY_SIZE = 1_000_000
DATA_UPLOAD_MAX_NUMBER_FIELDS = 200

# Behind a proxy that terminates TLS and sets these headers; the demo speaks plain http on this machine.
SECURE = not DEMO
BEHIND_PROXY = env.bool("PALMS_BEHIND_PROXY", default=False)
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if BEHIND_PROXY else None
SECURE_SSL_REDIRECT = SECURE
SECURE_REDIRECT_EXEMPT = [r"^health/"]
SECURE_HSTS_SECONDS = 31_536_000 if SECURE else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE
SECURE_HSTS_PRELOAD = SECURE
SECURE_REFERRER_POLICY = "same-origin"  # secret links must not leak to the bank
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = LANGUAGE_COOKIE_SECURE = SECURE
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'none'"],
        # No page has inline code. A template that needs some writes nonce="{{ request.csp_nonce }}": only then is it sent.
        "script-src": [SELF, NONCE],
        "style-src": [SELF, NONCE],
        "img-src": ["'self'", "data:"],
        "font-src": ["'self'"],
        "connect-src": ["'self'"],
        "base-uri": ["'none'"],
        "frame-ancestors": ["'none'"],
        # No form-action: Chromium applies it to the redirect to the bank's page too, whatever bank a club uses.
    }
}

# Tokens of secret links stay out of every line, also of those that Django and gunicorn would write by themselves.
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {"()": "palms.logs.HidingFormatter", "format": "%(asctime)s %(levelname)s %(name)s %(message)s"},
        "bare": {"()": "palms.logs.HidingFormatter", "format": "%(message)s"},
    },
    "handlers": {
        "console": {"class": "logging.StreamHandler", "formatter": "line"},
        "access": {"class": "logging.StreamHandler", "formatter": "bare", "stream": "ext://sys.stdout"},
    },
    "root": {"handlers": ["console"], "level": env.str("PALMS_LOG_LEVEL", default="INFO")},
    "loggers": {
        "django": {"handlers": []},
        "axes": {"level": "WARNING"},
        "django.server": {"handlers": ["console"], "propagate": False},
        "gunicorn.error": {"handlers": ["console"], "propagate": False},
        "gunicorn.access": {"handlers": ["access"], "propagate": False},
    },
}
