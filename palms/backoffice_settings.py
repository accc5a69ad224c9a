"""How the back office looks: the settings of django-unfold. Read by the settings, so it imports nothing of ours."""

from typing import Any

from django.templatetags.static import static
from django.utils.translation import gettext_lazy as _

SETTINGS: dict[str, Any] = {
    "SITE_TITLE": "Palms",
    "SITE_HEADER": "Palms",
    "SITE_SUBHEADER": _("Back office"),
    "SITE_ICON": lambda request: static("palms/icon.svg"),
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": lambda request: static("palms/icon.svg")}],
    "DASHBOARD_CALLBACK": "backoffice.dashboard.dashboard",
    "SHOW_VIEW_ON_SITE": False,
    "SHOW_LANGUAGES": False,
    "STYLES": [lambda request: static("backoffice/backoffice.css"), lambda request: static("backoffice/desk.css")],
    "SCRIPTS": [lambda request: static("backoffice/backoffice.js")],
    "BORDER_RADIUS": "8px",
    "COLORS": {
        "primary": {  # the green of the customers' pages
            "50": "#eefaf3", "100": "#d6f3e1", "200": "#aee6c6", "300": "#7bd3a5", "400": "#46b980", "500": "#239b63",
            "600": "#157a4c", "700": "#116340", "800": "#104f34", "900": "#0e412c", "950": "#062418",
        },
        "font": {  # darker than the theme's own, which fall below 4.5 to 1 on its greys
            "subtle-light": "var(--color-base-600)", "subtle-dark": "var(--color-base-300)",
            "default-light": "var(--color-base-700)", "default-dark": "var(--color-base-200)",
            "important-light": "var(--color-base-900)", "important-dark": "var(--color-base-100)",
        },
    },
    "SIDEBAR": {
        "show_search": True, "show_all_applications": False, "command_search": False,
        "navigation": "backoffice.navigation.navigation",
    },
    "COMMAND": {"search_models": False, "show_history": False},
}  # fmt: skip
