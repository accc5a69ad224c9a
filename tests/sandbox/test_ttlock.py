"""The stand-in of TTLock behaves as the documents say, and worse where they are silent."""

from __future__ import annotations

import hashlib
import time
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

import httpx
import pytest

from tests.bank import Bank

LOCK = 700_001
HOUR = 3_600_000
APP = {"clientId": "palms-sandbox-app", "clientSecret": "palms-sandbox-secret"}
LOGIN = APP | {"username": "service@club.example", "password": hashlib.md5(b"password").hexdigest()}


def ask(bank: Bank, path: str, timeout: float = 10, **fields: Any) -> Any:
    answer = httpx.post(f"{bank.url}/ttlock{path}", data=fields, timeout=timeout, trust_env=False)
    assert answer.status_code == 200, answer.text
    return answer.json()


def control(bank: Bank, method: str, path: str, body: Any = None) -> Any:
    return bank.control(method, path, body).json()


def now_of(bank: Bank) -> int:
    return int(control(bank, "GET", "ttlock/state")["now_ms"])


@pytest.fixture
def token(bank: Bank) -> str:
    return str(ask(bank, "/oauth2/token", **LOGIN)["access_token"])


def call(bank: Bank, token: str, path: str, **fields: Any) -> Any:
    common = {"clientId": APP["clientId"], "accessToken": token, "date": now_of(bank), "lockId": LOCK}
    return ask(bank, path, **(common | fields))


def add(bank: Bank, token: str, code: str = "482913", **fields: Any) -> Any:
    now = now_of(bank)
    window = {"startDate": now - HOUR, "endDate": now + HOUR, "addType": 2, "keyboardPwdName": "palms-1"}
    return call(bank, token, "/v3/keyboardPwd/add", keyboardPwd=code, **(window | fields))


def opens(bank: Bank, code: str = "482913") -> bool:
    return bool(control(bank, "POST", "ttlock/type", {"lock": LOCK, "code": code})["opened"])


def test_a_code_opens_inside_its_time_only(bank: Bank, token: str) -> None:
    assert add(bank, token)["keyboardPwdId"]

    assert opens(bank)
    assert not opens(bank, "482914")
    control(bank, "POST", "clock", {"advance": 3601})
    assert not opens(bank)


def test_a_deleted_code_opens_nothing_and_one_deleted_over_bluetooth_still_does(bank: Bank, token: str) -> None:
    first, second = add(bank, token)["keyboardPwdId"], add(bank, token, "719204")["keyboardPwdId"]

    assert call(bank, token, "/v3/keyboardPwd/delete", keyboardPwdId=first, deleteType=2)["errcode"] == 0
    assert call(bank, token, "/v3/keyboardPwd/delete", keyboardPwdId=second)["errcode"] == 0

    assert not opens(bank)
    assert opens(bank, "719204"), "the cloud forgot what the lock still knows"
    assert call(bank, token, "/v3/keyboardPwd/delete", keyboardPwdId=first, deleteType=2)["errcode"] == -2009


def test_a_code_added_without_the_gateway_never_reaches_the_lock(bank: Bank, token: str) -> None:
    assert "keyboardPwdId" in add(bank, token, addType=1)

    assert not opens(bank)


@pytest.mark.parametrize(
    ("code", "errcode"),
    [
        ("123", -3006),
        ("1234567890", -3006),
        ("12a4", -3006),
        ("", -3006),
        ("7777", -2032),
        ("3456", -2032),
        ("9876", -2032),
    ],
)
def test_bad_digits_are_refused(bank: Bank, token: str, code: str, errcode: int) -> None:
    assert add(bank, token, code)["errcode"] == errcode


def test_the_same_digits_twice_and_a_full_memory_are_refused(bank: Bank, token: str) -> None:
    add(bank, token)
    assert add(bank, token)["errcode"] == -3007

    control(bank, "POST", "ttlock/lock", {"id": LOCK, "capacity": 1})
    assert add(bank, token, "719204")["errcode"] == -3009
    assert len(control(bank, "GET", "ttlock/state")["passcodes"]) == 1, "a refused add leaves nothing in the cloud"


@pytest.mark.parametrize(
    "fields",
    [{"lockId": 1}, {"startDate": "soon"}, {"endDate": 5}, {"keyboardPwdType": 9}, {"endDate": ""}, {"date": "x"}],
)
def test_garbage_is_refused_with_a_number(bank: Bank, token: str, fields: dict[str, Any]) -> None:
    assert add(bank, token, **fields)["errcode"] in (-3, -1003)


def test_only_a_living_token_a_known_application_and_a_right_clock_are_let_in(bank: Bank, token: str) -> None:
    path, paged = "/v3/lock/listKeyboardPwd", {"pageNo": 1, "pageSize": 20, "orderBy": 1}
    assert call(bank, token, path, **paged)["total"] == 0
    assert call(bank, "nonsense", path)["errcode"] == 10003
    assert call(bank, token, path, clientId="other")["errcode"] == 10000
    assert call(bank, token, path, date=now_of(bank) - 301_000)["errcode"] == 80000
    control(bank, "POST", "ttlock/revoke", {})
    assert call(bank, token, path)["errcode"] == 10004
    assert ask(bank, "/oauth2/token", **(LOGIN | {"password": "plain"}))["errcode"] == 10007
    assert ask(bank, "/oauth2/token", **(LOGIN | {"clientSecret": "x"}))["errcode"] == 10001


def test_a_refresh_ends_the_pair_it_came_with(bank: Bank) -> None:
    first = ask(bank, "/oauth2/token", **LOGIN)
    again = APP | {"grant_type": "refresh_token", "refresh_token": first["refresh_token"]}

    second = ask(bank, "/oauth2/token", **again)

    assert second["access_token"] != first["access_token"]
    assert ask(bank, "/oauth2/token", **again)["errcode"] == 10011
    assert call(bank, first["access_token"], "/v3/gateway/list", pageNo=1, pageSize=10)["errcode"] == 10003


def test_a_gateway_serves_one_call_at_a_time_and_none_when_it_is_offline(bank: Bank, token: str) -> None:
    control(bank, "POST", "ttlock/gateway", {"id": 800_001, "latency": 0.5})
    with ThreadPoolExecutor(4) as crowd:
        answers = list(crowd.map(lambda code: add(bank, token, code), ["481913", "482913", "483913", "484913"]))
    assert sorted(answer.get("errcode", 0) for answer in answers) == [-3003, -3003, -3003, 0]

    control(bank, "POST", "ttlock/gateway", {"id": 800_001, "online": False, "latency": 0})
    assert add(bank, token, "719204")["errcode"] == -3002
    control(bank, "POST", "ttlock/lock", {"id": LOCK, "gateway": None})
    assert add(bank, token, "719204")["errcode"] == -2012


@pytest.mark.parametrize(
    ("kind", "done"), [("silence", 0), ("silence_after", 1), ("drop_before", 0), ("drop_after", 1)]
)
def test_no_answer_says_nothing_about_the_effect(bank: Bank, token: str, kind: str, done: int) -> None:
    control(bank, "POST", "ttlock/faults", {"on": "add", "kind": kind, "seconds": 0.1})

    with pytest.raises(httpx.HTTPError):
        add(bank, token)

    assert len(control(bank, "GET", "ttlock/state")["memory"]) == done


def test_spoiled_and_late_answers(bank: Bank, token: str) -> None:
    control(bank, "POST", "ttlock/faults", {"on": "add", "kind": "html_502"})
    with pytest.raises(AssertionError, match="Bad Gateway"):
        add(bank, token)
    control(bank, "POST", "ttlock/faults", {"on": "add", "kind": "garbled"})
    with pytest.raises(ValueError, match="char"):
        add(bank, token)
    control(bank, "POST", "ttlock/faults", {"on": "add", "kind": "delay", "seconds": 0.6})
    began = time.monotonic()
    assert "keyboardPwdId" in add(bank, token, "719204")
    assert time.monotonic() - began > 0.6
    control(bank, "POST", "ttlock/faults", {"on": "add", "kind": "errcode", "errcode": 90000})
    assert add(bank, token, "719205")["errcode"] == 90000


def test_a_wrong_clock_shifts_every_window_until_it_is_set(bank: Bank, token: str) -> None:
    add(bank, token)
    control(bank, "POST", "ttlock/lock", {"id": LOCK, "skew": -5 * HOUR})
    assert not opens(bank)
    assert call(bank, token, "/v3/lock/queryDate")["date"] == pytest.approx(now_of(bank) - 5 * HOUR, abs=5_000)

    call(bank, token, "/v3/lock/updateDate", date=now_of(bank))

    assert opens(bank)


def test_the_quota_of_the_month(bank: Bank, token: str) -> None:
    control(bank, "POST", "ttlock/settings", {"quota": 2, "used": 0})
    paged = {"pageNo": 1, "pageSize": 10}
    codes = [call(bank, token, "/v3/gateway/list", **paged).get("errcode", 0) for _ in range(3)]

    assert codes == [0, 0, 30007]
    assert ask(bank, "/app/getMonthRequestCount", **APP) == {"monthRequestCount": 2}


def test_lists_are_searched_and_paged(bank: Bank, token: str) -> None:
    for number in range(5):
        add(bank, token, f"48291{number}", keyboardPwdName=f"palms-{number}")
    paged = {"pageNo": 2, "pageSize": 2, "orderBy": 0}

    found = call(bank, token, "/v3/lock/listKeyboardPwd", **paged)

    assert "list" in found, found
    assert [item["keyboardPwdName"] for item in found["list"]] == ["palms-2", "palms-3"]
    assert (found["total"], found["pages"]) == (5, 3)
    named = call(bank, token, "/v3/lock/listKeyboardPwd", **(paged | {"pageNo": 1, "searchStr": "palms-3"}))
    assert [item["keyboardPwd"] for item in named["list"]] == ["482913"]
    assert call(bank, token, "/v3/lock/listKeyboardPwd", pageNo=1, pageSize=201, orderBy=1)["errcode"] == -3
    assert call(bank, token, "/v3/lock/listKeyboardPwd", pageNo=1, pageSize=20)["errcode"] == -3


def test_the_keypad_page_opens_the_door(bank: Bank, token: str) -> None:
    add(bank, token)
    door = f"{bank.url}/ttlock/doors/{LOCK}"

    assert "Дверь закрыта" in httpx.get(door, trust_env=False).text
    assert "Дверь открыта" in httpx.post(door, data={"code": "482913"}, trust_env=False).text
    assert "Код не подошёл" in httpx.post(door, data={"code": "нет"}, trust_env=False).text
    assert httpx.get(f"{bank.url}/ttlock/doors/5", trust_env=False).status_code == 404
    assert f"/ttlock/doors/{LOCK}" in httpx.get(bank.url, trust_env=False).text


def test_what_was_typed_is_told_to_the_application(bank: Bank, token: str) -> None:
    told: list[bytes] = []

    class Application(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            told.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_args: object) -> None:
            return

    server = HTTPServer(("127.0.0.1", 0), Application)
    Thread(target=server.serve_forever, daemon=True).start()
    control(bank, "POST", "ttlock/settings", {"callback_url": f"http://127.0.0.1:{server.server_port}/cb"})
    add(bank, token)
    opens(bank)
    until = time.monotonic() + 5
    while not told and time.monotonic() < until:
        time.sleep(0.05)
    server.shutdown()

    assert b"notifyType=1" in told[0]
    assert b"482913" in told[0]


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_odd_requests_are_refused(bank: Bank, method: str) -> None:
    assert httpx.request(method, f"{bank.url}/ttlock/v3/keyboardPwd/add", trust_env=False).status_code == 405
    assert httpx.request(method, f"{bank.url}/ttlock/v3/nothing", trust_env=False).status_code == 404
    refused = httpx.post(f"{bank.url}/_control/ttlock/faults", json={"on": "x"}, trust_env=False)
    assert refused.status_code == 400


def test_people_switch_troubles_on_the_page(bank: Bank, token: str) -> None:
    """Every button of the landing page does what it says, and shows it."""

    def press(path: str, **fields: Any) -> str:
        form = {"content-type": "application/x-www-form-urlencoded"}  # also of a button without fields
        address = f"{bank.url}/_control/ttlock/{path}"
        answer = httpx.post(address, data=fields, headers=form, trust_env=False, follow_redirects=True)
        assert (answer.status_code, answer.url.path) == (200, "/")
        return answer.text

    assert "нет связи" in press("gateway", id=800_001, online="no")
    assert add(bank, token)["errcode"] == -3002
    assert "нет связи" not in press("gateway", id=800_001, online="yes")
    assert "Часы верно" in press("lock", id=LOCK, skew=-3 * HOUR)
    assert "Часы верно" not in press("lock", id=LOCK, skew=0)
    assert "вместо ответа страница 502" in press("faults", on="any", kind="html_502", times=3, seconds=40)
    assert "Сбоев нет: облако" in press("faults/clear")
    assert add(bank, token)["keyboardPwdId"]
