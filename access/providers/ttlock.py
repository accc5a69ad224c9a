"""TTLock's cloud, API v3: a thin client for the calls we need. Form fields out, JSON in, always HTTP 200.

Custom passcodes through the gateway only (addType, deleteType 2: the defaults change the cloud and not the lock).
Nothing of a body is ever logged: it carries digits and secrets.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any

import httpx

from access.providers.base import (
    Busy,
    Condition,
    Defect,
    Forbidden,
    Full,
    Gateway,
    Gone,
    LockTrouble,
    Misconfigured,
    Passcode,
    QuotaSpent,
    SignedOut,
    Taken,
    Unreachable,
    Unsure,
    WrongClock,
)
from palms.clock import now_utc

THROUGH_GATEWAY = "2"
PERIOD = "3"
PAGE = 200  # codes a page; the most there is
LOCKS = 1000  # locks a page
MOST_PAGES = 10
CLASSES: dict[type[LockTrouble], tuple[int, ...]] = {
    SignedOut: (10003, 10004, 10011),
    Misconfigured: (10000, 10001, 10002, 10005, 10006, 10007, 10008, 10009, 10010, 30005, 30008, -1003, -1007, -2025, -4063, -4067),
    Forbidden: (20000, 20001, 20002, 20003, 20004, 20005, 20006, 20007, 20008, 30001, -2018, -3046, -4043, -1008, -1027),
    WrongClock: (80000,),
    QuotaSpent: (30007,),
    Defect: (-3, 80002),
    Taken: (-3006, -3007, -2032, -1026),
    Full: (-3009, -4056),
    Gone: (-2009,),
    Busy: (-3003, -3037, -2011, 30006),
    Unreachable: (-3002, -2012, -3034, -3035, -3036, -4037),
    Unsure: (1, 90000),  # and every number that is not here: it may pass
}  # fmt: skip
CLASS_OF = {number: kind for kind, numbers in CLASSES.items() for number in numbers}


@dataclass(frozen=True, slots=True)
class Application:
    """Our registration at TTLock, and where its cloud lives."""

    url: str
    client_id: str
    client_secret: str


@dataclass(frozen=True, slots=True)
class Tokens:
    access: str
    refresh: str
    seconds: int


def sign_in(app: Application, username: str, password_md5: str, *, patience: float) -> Tokens:
    """Get tokens by password (MD5, as the protocol wants it). Raises LockTrouble."""
    return _tokens(app, patience, username=username, password=password_md5)


def renew(app: Application, refresh: str, *, patience: float) -> Tokens:
    """Get new tokens for a refresh token; the old pair is over. Raises LockTrouble."""
    return _tokens(app, patience, grant_type="refresh_token", refresh_token=refresh)


def _tokens(app: Application, patience: float, **fields: str) -> Tokens:
    secret = {"clientId": app.client_id, "clientSecret": app.client_secret}
    found = _post(app.url + "/oauth2/token", secret | fields, patience)
    access, refresh, seconds = found.get("access_token"), found.get("refresh_token"), found.get("expires_in")
    if not (isinstance(access, str) and isinstance(refresh, str) and access and refresh):
        raise Unsure("no tokens")
    return Tokens(access, refresh, seconds if isinstance(seconds, int) and 0 < seconds < 10**9 else 86_400)


@dataclass(frozen=True, slots=True)
class TTLock:
    """The locks of one account, by a living access token. `count` is told of every call, before it is made."""

    app: Application
    access_token: str
    count: Callable[[], None]

    def add(self, lock_id: int, passcode: Passcode, *, patience: float) -> int:
        found = self._call(
            "/v3/keyboardPwd/add", lock_id, patience, keyboardPwd=passcode.digits, keyboardPwdName=passcode.name,
            keyboardPwdType=PERIOD, startDate=_ms(passcode.starts_at), endDate=_ms(passcode.ends_at), addType=THROUGH_GATEWAY,
        )  # fmt: skip
        return _number(found, "keyboardPwdId")

    def remove(self, lock_id: int, passcode_id: int, *, patience: float) -> None:
        fields = {"keyboardPwdId": str(passcode_id), "deleteType": THROUGH_GATEWAY}
        self._call("/v3/keyboardPwd/delete", lock_id, patience, **fields)

    def find(self, lock_id: int, sought: str, *, patience: float) -> list[Passcode]:
        rows = self._listed("/v3/lock/listKeyboardPwd", lock_id, patience, size=PAGE, searchStr=sought)
        codes = [_passcode(row) for row in rows]
        return [code for code in codes if sought in code.name]

    def clock(self, lock_id: int, *, patience: float) -> datetime:
        return _moment(self._call("/v3/lock/queryDate", lock_id, patience), "date")

    def set_clock(self, lock_id: int, moment: datetime, *, patience: float) -> None:
        self._call("/v3/lock/updateDate", lock_id, patience, date=_ms(moment))

    def condition(self, lock_id: int, *, patience: float) -> Condition:
        rows = self._listed("/v3/lock/list", lock_id, patience, size=LOCKS)
        mine = next((row for row in rows if row.get("lockId") in (lock_id, str(lock_id))), {})
        near = self._call("/v3/gateway/listByLock", lock_id, patience).get("list")
        signals = {str(row.get("gatewayId")): _small(row.get("rssi")) for row in _rows(near)}
        known = self._listed("/v3/gateway/list", lock_id, patience, size=PAGE) if signals else []
        gateways = tuple(
            Gateway(str(row.get("gatewayName", "")), row.get("isOnline") in (1, "1"), signals[str(row["gatewayId"])])
            for row in known
            if str(row.get("gatewayId")) in signals
        )
        return Condition(_small(mine.get("electricQuantity")), gateways)

    def _listed(self, path: str, lock_id: int, patience: float, *, size: int, **fields: str) -> list[dict[str, Any]]:
        """Return every row of a paged list."""
        rows: list[dict[str, Any]] = []
        for page in range(1, MOST_PAGES + 1):
            found = self._call(path, lock_id, patience, pageNo=str(page), pageSize=str(size), orderBy="1", **fields)
            rows += _rows(found.get("list"))
            if page >= _number(found, "pages"):
                break
        return rows

    def _call(self, path: str, lock_id: int, patience: float, **fields: str) -> dict[str, Any]:
        common = {"clientId": self.app.client_id, "accessToken": self.access_token, "lockId": str(lock_id)}
        self.count()
        return _post(self.app.url + path, common | {"date": _ms(now_utc())} | fields, patience)


@cache
def _tls() -> ssl.SSLContext:
    """To read the certificates of the world takes longer than a call."""
    return httpx.create_ssl_context(trust_env=False)


def _post(url: str, fields: dict[str, str], patience: float) -> dict[str, Any]:
    """Make one call. Raises LockTrouble of the class that the error list gives its number."""
    try:
        answer = httpx.post(
            url,
            data=fields,
            timeout=httpx.Timeout(patience, connect=min(5.0, patience)),
            trust_env=False,
            verify=_tls(),
        )
        found = answer.json()
    except httpx.ConnectError as error:
        raise Unreachable("no connection") from error
    except (httpx.HTTPError, ValueError) as error:  # ValueError: not JSON; what was done, nobody knows
        raise Unsure(type(error).__name__) from error
    if not isinstance(found, dict) or answer.status_code != 200:
        raise Unsure(answer.status_code)
    errcode = found.get("errcode", 0)
    if errcode not in (0, "0"):
        number = int(errcode) if str(errcode).lstrip("-").isdecimal() else 0
        raise CLASS_OF.get(number, Unsure)(number)
    return found


def _ms(moment: datetime) -> str:
    return str(int(moment.timestamp() * 1000))


def _number(found: dict[str, Any], name: str) -> int:
    """Return a whole number; TTLock sometimes sends it as a string."""
    value = found.get(name)
    if isinstance(value, bool) or not str(value).isdecimal() or len(str(value)) > 18:
        raise Unsure(f"no {name}")
    return int(str(value))


def _moment(found: dict[str, Any], name: str) -> datetime:
    try:
        return datetime.fromtimestamp(_number(found, name) / 1000, UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise Unsure(f"no {name}") from error


def _rows(found: Any) -> list[dict[str, Any]]:
    if not isinstance(found, list) or not all(isinstance(row, dict) for row in found):
        raise Unsure("no list")
    return found


def _small(value: Any) -> int | None:
    """Return a per cent or dBm, or None where there is none that makes sense."""
    text = str(value)
    return int(text) if text.removeprefix("-").isdecimal() and len(text) <= 4 else None


def _passcode(item: dict[str, Any]) -> Passcode:
    name, digits = str(item.get("keyboardPwdName", "")), str(item.get("keyboardPwd", ""))
    return Passcode(_number(item, "keyboardPwdId"), name, digits, _moment(item, "startDate"), _moment(item, "endDate"))
