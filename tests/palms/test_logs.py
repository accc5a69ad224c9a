"""Logs never hold the token of a secret link: not when it is found, not when it is refused, not when something breaks."""

from __future__ import annotations

import io
import logging
import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client
from django.urls import get_resolver
from django.urls.resolvers import URLPattern, URLResolver

from palms.logs import HidingFormatter, hide

TOKEN = "k7fwqm3xzt9hhjAAAA-_00"
LOGGERS = ("", "django.server", "gunicorn.error", "gunicorn.access")


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    """What the configured handlers write, all of them together."""
    text = io.StringIO()
    ours = [each for name in LOGGERS for each in logging.getLogger(name).handlers if _is_ours(each)]
    before = [(each, each.setStream(text)) for each in ours]  # type: ignore[attr-defined]
    yield text
    for each, stream in before:
        if stream is not None:
            each.setStream(stream)  # type: ignore[attr-defined]


def _is_ours(handler: logging.Handler) -> bool:
    return isinstance(handler, logging.StreamHandler) and isinstance(handler.formatter, HidingFormatter)


def routes(patterns: list[Any], before: str = "") -> Iterator[str]:
    """Yield every address that carries a token, with a token in it."""
    for each in patterns:
        route = before + str(each.pattern)
        if isinstance(each, URLResolver):
            yield from routes(each.url_patterns, route)
        elif isinstance(each, URLPattern) and re.search(r"<[a-z]+:token>", route):
            yield "/" + re.sub(r"<[a-z]+:\w+>", "7", re.sub(r"<[a-z]+:token>", TOKEN, route))


def test_every_address_with_a_token_is_hidden() -> None:
    found = list(routes(get_resolver().url_patterns))
    assert len(found) >= 10
    assert [address for address in found if TOKEN in hide(f"Not Found: {address}?n=1")] == []


@pytest.mark.parametrize(
    ("line", "hidden"),
    [
        (f"Not Found: /booking/{TOKEN}/", "Not Found: /booking/***/"),
        (f"Not Found: /booking/{TOKEN}", "Not Found: /booking/***"),
        (f"Forbidden (CSRF cookie not set.): /booking/{TOKEN}/cancel/", None),
        (f'"GET /checkout/{TOKEN}/?n=2&was=held HTTP/1.1" 200', '"GET /checkout/***/?n=2&was=held HTTP/1.1" 200'),
        (f"/api/v1/user/bookings/{TOKEN}/cancel", "/api/v1/user/bookings/***/cancel"),
        (f"http://a/Booking//{TOKEN}/ http://a/booking/{TOKEN}/", "http://a/Booking//***/ http://a/booking/***/"),
        (f"/booking%2F{TOKEN}%2F", "/booking%2F***%2F"),
        ("/booking/short/", "/booking/***/"),
        ("/booking/\u044f\u0431/", "/booking/***/"),
        (f"/booking/12{TOKEN}/", "/booking/***/"),
        ("/admin/bookings/booking/12/change/", "/admin/bookings/booking/12/change/"),
        ("/api/v1/site/bookings/individual", "/api/v1/site/bookings/individual"),
        ("/palms/slots/7/", "/palms/slots/7/"),
        ("", ""),
    ],
)
def test_only_the_token_is_hidden(line: str, hidden: str | None) -> None:
    assert TOKEN not in hide(line)
    if hidden is not None:
        assert hide(line) == hidden


@pytest.mark.django_db
def test_a_link_that_leads_nowhere_is_logged_without_its_token(client: Client, written: io.StringIO) -> None:
    for address in (f"/booking/{TOKEN}/", f"/checkout/{TOKEN}/return/", f"/api/v1/user/bookings/{TOKEN}"):
        assert client.get(address).status_code == 404
    Client(enforce_csrf_checks=True).post(f"/booking/{TOKEN}/cancel/")
    lines = written.getvalue()
    assert lines.count("Not Found: ") == 3
    assert "Forbidden (CSRF cookie not set.): /booking/***/cancel/" in lines
    assert TOKEN not in lines


def test_a_defect_is_logged_in_full_without_the_token(written: io.StringIO) -> None:
    try:
        raise RuntimeError(f"cannot open /booking/{TOKEN}/")
    except RuntimeError:
        logging.getLogger("django.request").exception("Internal Server Error: %s", f"/booking/{TOKEN}/")
    lines = written.getvalue()
    assert "Internal Server Error: /booking/***/" in lines
    assert "RuntimeError: cannot open /booking/***/" in lines
    assert TOKEN not in lines


@pytest.mark.parametrize("name", ["", "django", "django.request", "django.server", "gunicorn.error", "gunicorn.access"])
def test_no_handler_writes_lines_of_its_own(name: str) -> None:
    logger: logging.Logger | None = logging.getLogger(name)
    found = 0
    while logger is not None:
        for handler in logger.handlers:
            if type(handler) is logging.StreamHandler:
                assert isinstance(handler.formatter, HidingFormatter), (name, handler)
                found += 1
        logger = logger.parent if logger.propagate else None
    assert found == 1


def test_the_record_stays_whole_for_other_handlers() -> None:
    record = logging.LogRecord("x", logging.INFO, "", 1, "%s", (f"/booking/{TOKEN}/",), None)
    assert HidingFormatter("%(message)s").format(record) == "/booking/***/"
    assert record.args == (f"/booking/{TOKEN}/",)
