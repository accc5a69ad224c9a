"""The real server with the settings of production, behind something that ends TLS: headers, cookies, CSRF, compression."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any

import httpx
import pytest
from csp.middleware import CSPMiddleware
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.template import Context, Template
from django.test import Client, RequestFactory

from palms.middleware import RefusalMiddleware
from slots.models import Slot
from tests.factories import UserFactory
from tests.pages.conftest import FORM, address_of, inputs_of
from tests.play import offer

pytestmark = pytest.mark.django_db(transaction=True)
ROOT = Path(__file__).resolve().parents[2]
HOST = "book.example.com"
OURS = f"https://{HOST}"
BEHIND_TLS = {"Host": HOST, "X-Forwarded-Proto": "https", "Accept-Encoding": "gzip"}


@pytest.fixture(scope="module")
def address(django_db_setup: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server started as the image starts it, on the tests' database."""
    found, static = connection.settings_dict, str(tmp_path_factory.mktemp("static"))
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        port = door.getsockname()[1]
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PALMS_", "YOOKASSA_"))}
    environment = kept | {
        "PALMS_SECRET_KEY": os.environ["PALMS_SECRET_KEY"],
        "PALMS_FIELD_KEYS": os.environ["PALMS_FIELD_KEYS"],
        "DATABASE_URL": re.sub(r"/[^/?]+(\?|$)", rf"/{found['NAME']}\1", os.environ["DATABASE_URL"]),
        "PALMS_BASE_URL": OURS,
        "PALMS_ALLOWED_HOSTS": HOST,
        "PALMS_BEHIND_PROXY": "1",
        "PALMS_STATIC_ROOT": static,
        "EMAIL_URL": "smtp://127.0.0.1:9",
        "YOOKASSA_API_URL": "http://127.0.0.1:9/v3",
    }
    collect = [sys.executable, "manage.py", "collectstatic", "--no-input", "--verbosity", "0"]
    subprocess.run(collect, cwd=ROOT, env=environment, check=True)
    serve = [sys.executable, "-m", "gunicorn", "palms.wsgi:application", "--bind", f"127.0.0.1:{port}"]
    server = subprocess.Popen([*serve, "--threads", "4", "--no-control-socket"], cwd=ROOT, env=environment)
    try:
        yield wait_for(f"http://127.0.0.1:{port}")
    finally:
        server.terminate()
        server.wait(30)


def wait_for(address: str) -> str:
    for _ in range(200):
        try:
            httpx.get(f"{address}/health/live", trust_env=False)
        except httpx.TransportError:
            time.sleep(0.1)
        else:
            return address
    raise AssertionError("the server does not answer")


@pytest.fixture
def proxy(address: str) -> Iterator[httpx.Client]:
    """What stands between people and the server: it says which host they asked for, and that they came by TLS."""
    with httpx.Client(base_url=address, headers=BEHIND_TLS, trust_env=False, timeout=30) as client:
        yield client


def cookies_of(response: httpx.Response) -> dict[str, Any]:
    """Return the cookies that an answer sets, with their flags."""
    found: SimpleCookie = SimpleCookie()
    for line in response.headers.get_list("set-cookie"):
        found.load(line)
    return dict(found)


def opened(proxy: httpx.Client, slot: Slot) -> tuple[dict[str, str], dict[str, str]]:
    """Return the inputs and the cookies of an opened form, as a browser on the public address holds them."""
    page = proxy.get(address_of(slot))
    cookies = {name: morsel.value for name, morsel in cookies_of(page).items()}
    return inputs_of(page), {"Cookie": "; ".join(f"{name}={value}" for name, value in cookies.items())}


def test_plain_http_is_led_to_tls_and_health_is_not(address: str) -> None:
    answer = httpx.get(address, headers={"Host": HOST}, trust_env=False)
    assert (answer.status_code, answer.headers["Location"]) == (301, f"{OURS}/")
    assert httpx.get(f"{address}/health/ready", headers={"Host": HOST}, trust_env=False).status_code == 200


@pytest.mark.parametrize("path", ["/", "/no/such/page/", "/admin/login/", "/api/nothing", "/static/palms/palms.css"])
def test_every_answer_carries_the_headers_that_protect(proxy: httpx.Client, path: str) -> None:
    headers = proxy.get(path).headers
    assert headers["Strict-Transport-Security"] == "max-age=31536000; includeSubDomains; preload"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert "camera=()" in headers["Permissions-Policy"]
    if not path.startswith("/static/"):
        assert headers["X-Frame-Options"] == "DENY"
        policy = {
            name: set(given)
            for name, *given in (part.split() for part in headers["Content-Security-Policy"].split(";"))
        }
        theme = path.startswith("/admin/")  # the back office's theme evaluates expressions; nobody else may
        assert policy["script-src"] == ({"'self'", "'unsafe-eval'"} if theme else {"'self'"})
        assert policy["style-src"] == ({"'self'", "'unsafe-inline'"} if theme else {"'self'"})
        assert policy["default-src"] == {"'none'"}


def test_a_page_that_has_inline_code_gets_a_nonce_of_its_own() -> None:
    def view(request: HttpRequest) -> HttpResponse:
        page = Template('<script nonce="{{ request.csp_nonce }}">1</script>').render(Context({"request": request}))
        return HttpResponse(page)

    door, seen = CSPMiddleware(view), set()
    for _ in range(2):
        response = door(RequestFactory().get("/"))
        (nonce,) = re.findall(r'nonce="([^"]{16,})"', response.content.decode())
        assert f"'nonce-{nonce}'" in response.headers["Content-Security-Policy"]
        seen.add(nonce)
    assert len(seen) == 2


def test_pages_and_assets_come_compressed_and_assets_are_kept_for_good(proxy: httpx.Client) -> None:
    page = proxy.get("/")
    assert page.headers["Content-Encoding"] == "gzip"
    assert "Cookie" in page.headers["Vary"]
    found = re.findall(r'(?:href|src)="(/static/[^"]+)"', page.text)
    assert len(set(found)) == 4
    for asset in found:
        assert re.search(r"\.[0-9a-f]{12}\.(css|js|svg)$", asset)
        answer = proxy.get(asset)
        assert (answer.status_code, answer.headers["Content-Encoding"]) == (200, "gzip"), asset
        assert "immutable" in answer.headers["Cache-Control"]
        assert int(re.findall(r"max-age=(\d+)", answer.headers["Cache-Control"])[0]) >= 31_536_000


def test_the_page_for_defects_finds_its_style_without_hashed_names(proxy: httpx.Client) -> None:
    for asset in re.findall(r'"(/static/[^"]+)"', (ROOT / "templates" / "500.html").read_text()):
        assert proxy.get(asset).status_code == 200, asset


def test_cookies_are_for_tls_and_for_our_own_pages_only(proxy: httpx.Client) -> None:
    set_by = {
        "form": cookies_of(proxy.get(address_of(offer()))),
        "language": cookies_of(proxy.get("/?lang=en")),
        "login": cookies_of(proxy.get("/admin/login/")),
    }
    found = {name: morsel for cookies in set_by.values() for name, morsel in cookies.items()}
    assert {"visitor", "csrftoken", "django_language"} <= set(found)
    for name, morsel in found.items():
        assert morsel["secure"], name
        assert morsel["httponly"], name
        assert morsel["samesite"] == "Lax", name
        assert morsel["path"] == "/", name
        assert not morsel["domain"], name


def test_a_session_of_the_staff_is_for_tls_only(proxy: httpx.Client) -> None:
    user = UserFactory(is_staff=True, is_superuser=True)
    user.set_password("a-password-of-the-test")
    user.save()
    page = proxy.get("/admin/login/")
    cookie = f"csrftoken={cookies_of(page)['csrftoken'].value}"
    typed = {"username": user.get_username(), "password": "a-password-of-the-test", "next": "/admin/"}
    data = {"csrfmiddlewaretoken": inputs_of(page)["csrfmiddlewaretoken"]} | typed
    answer = proxy.post("/admin/login/", data=data, headers={"Cookie": cookie, "Origin": OURS})
    assert answer.status_code == 302
    session = cookies_of(answer)["sessionid"]
    assert (session["secure"], session["httponly"], session["samesite"]) == (True, True, "Lax")


@pytest.mark.parametrize("told", [{"Origin": OURS}, {"Referer": f"{OURS}/x/"}], ids=["origin", "referer"])
def test_a_form_of_ours_passes_behind_the_proxy(proxy: httpx.Client, told: dict[str, str]) -> None:
    slot = offer()
    typed, cookies = opened(proxy, slot)
    answer = proxy.post(address_of(slot), data=typed | FORM | {"phone": "1"}, headers=cookies | told)
    assert answer.status_code == 400  # the phone was looked at, so the form was let in


@pytest.mark.parametrize(
    "told",
    [
        {"Origin": "https://evil.example"},
        {"Origin": f"http://{HOST}"},
        {"Origin": f"https://{HOST}.evil.example"},
        {"Origin": f"https://{HOST}:444"},
        {"Origin": "null"},
        {"Referer": "https://evil.example/"},
        {},
    ],
    ids=["stranger", "not-tls", "longer", "port", "null", "referer", "nothing"],
)
def test_a_form_from_elsewhere_is_refused_and_what_was_typed_stays(proxy: httpx.Client, told: dict[str, str]) -> None:
    slot = offer()
    typed, cookies = opened(proxy, slot)
    answer = proxy.post(address_of(slot), data=typed | FORM, headers=cookies | told)
    assert answer.status_code == 403
    assert "Ничего не забронировано и не списано" in answer.text
    assert 'value="Анна Петрова"' in answer.text
    assert not Slot.objects.get(pk=slot.pk).claims.exists()


def test_a_form_without_its_cookie_is_refused(proxy: httpx.Client) -> None:
    slot = offer()
    typed, _cookies = opened(proxy, slot)
    assert proxy.post(address_of(slot), data=typed | FORM, headers={"Origin": OURS}).status_code == 403


def test_a_stranger_host_gets_no_page_of_ours(proxy: httpx.Client) -> None:
    assert proxy.get("/", headers={"Host": "evil.example"}).status_code == 400


@pytest.mark.parametrize(
    "path", ["/payments/yookassa/webhook", "/api/v1/payments/yookassa/webhook", "/api/kuliga/payment/callback"]
)
def test_machines_are_refused_in_their_own_words(proxy: httpx.Client, path: str) -> None:
    answer = proxy.get(path)
    assert (answer.status_code, answer.headers["Allow"]) == (405, "POST, OPTIONS")
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["code"] == "method_not_allowed"


def test_without_a_proxy_nobody_is_believed_to_come_by_tls(client: Client) -> None:
    request = client.get("/", headers={"x-forwarded-proto": "https"}).wsgi_request
    assert not request.is_secure()


def test_a_refused_page_is_told_to_people() -> None:
    door = RefusalMiddleware(lambda request: HttpResponse(status=405, headers={"Allow": "POST"}))
    assert "Что дальше" in door(RequestFactory().get("/checkout/x/release/")).content.decode()  # type: ignore[attr-defined]
