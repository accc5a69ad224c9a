"""Who knocks: the address a request came from, the name typed at the door, and the answer to whoever knocks too often."""

from __future__ import annotations

import hashlib
import math
from datetime import datetime, timedelta
from ipaddress import IPv6Address, ip_address
from typing import Any

from django.apps import apps
from django.conf import settings
from django.contrib import admin
from django.db.models import Max
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from palms.clock import now_utc

LONGEST_NAME = 254
DEVICES = ("iPhone", "iPad", "Android", "Windows", "Mac OS X", "Linux")
BROWSERS = {
    "YaBrowser": "Yandex",
    "Edg": "Edge",
    "OPR": "Opera",
    "Firefox": "Firefox",
    "Chrome": "Chrome",
    "Safari": "Safari",
}


def address_of_visitor(request: HttpRequest) -> str:
    """Return where a request came from: behind a proxy what the proxy itself says, and of IPv6 the subscriber's /64."""
    said = request.META.get("HTTP_X_FORWARDED_FOR", "").rpartition(",")[2].strip() if settings.BEHIND_PROXY else ""
    for text in (said, request.META.get("REMOTE_ADDR", "")):
        try:
            found = ip_address(text)
        except ValueError:
            continue
        if isinstance(found, IPv6Address):
            found = found.ipv4_mapped or IPv6Address(int(found) >> 64 << 64)
        return str(found)
    return "unknown"


def address_of(request: HttpRequest) -> str | None:
    """The same for a column of addresses: None where nothing is known."""
    found = address_of_visitor(request)
    return None if found == "unknown" else found


def device_of(agent: str) -> str:
    """Return what people call a browser that signs as `agent`: "Firefox, Windows". Empty where it is none of the known."""
    browser = next((name for word, name in BROWSERS.items() if f"{word}/" in agent), "")
    system = next((name for name in DEVICES if name in agent), "")
    return ", ".join(part for part in (browser, system.replace("Mac OS X", "macOS")) if part)


def name_typed(request: HttpRequest, credentials: dict[str, Any] | None = None) -> str:
    """Return by what name tries to sign in are counted: an email in small letters; of anything else, which may be
    a password typed into the wrong field, only a digest."""
    typed = str((credentials or {}).get("username") or request.POST.get("username") or "").strip().lower()
    is_email = "@" in typed and typed.isprintable() and len(typed) <= LONGEST_NAME
    return typed if is_email else f"sha256:{hashlib.sha256(typed.encode('utf-8', 'replace')).hexdigest()}"


def locked_out(request: HttpRequest, *_rest: Any) -> HttpResponse:
    """Return the page of too many wrong passwords, with the time when the next try counts."""
    tries: Any = apps.get_model("axes", "AccessAttempt")._default_manager
    mine = tries.filter(username=name_typed(request), ip_address=address_of(request))
    last: datetime | None = mine.aggregate(last=Max("attempt_time"))["last"]
    now, rest = now_utc(), settings.AXES_COOLOFF_TIME
    return wait_page(request, ((last or now) + rest - now) if last else rest)


def wait_page(request: HttpRequest, wait: timedelta) -> HttpResponse:
    """Return 429 in words: how long to wait, and Retry-After."""
    seconds = max(1, math.ceil(wait.total_seconds()))
    context = {**admin.site.each_context(request), "minutes": math.ceil(seconds / 60)}
    response = render(request, "admin/locked.html", context, status=429)
    response.headers["Retry-After"] = str(seconds)
    response.headers["Cache-Control"] = "no-store"
    return response
