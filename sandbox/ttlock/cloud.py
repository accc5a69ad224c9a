"""What the cloud does when it is asked: tokens, passcodes, lists, clocks. Each call is one function of its form fields."""

import secrets
import sqlite3
from collections.abc import Callable

from sandbox.ttlock.errors import Refusal
from sandbox.ttlock.site import PERMANENT, Work, clock_of
from sandbox.web import Json

DAY = 86_400_000  # ms
TOKEN_LIFE = 90 * DAY
DRIFT = 300_000  # ms that `date` may be off
PERIOD = 3
THROUGH_GATEWAY = "2"
RUNS = ("0123456789", "9876543210")
Fields = dict[str, str]


def number(fields: Fields, name: str, default: int | None = None) -> int:
    given = fields.get(name, "")
    if not given and default is not None:
        return default
    digits = given.removeprefix("-")
    if not digits.isascii() or not digits.isdigit() or len(digits) > 15:
        raise Refusal(-3)
    return int(given)


def know_app(work: Work, fields: Fields) -> None:
    if fields.get("clientId") != work.setting("client_id"):
        raise Refusal(10000)


def know_secret(work: Work, fields: Fields) -> None:
    know_app(work, fields)
    if fields.get("clientSecret") != work.setting("client_secret"):
        raise Refusal(10001)


def know_caller(work: Work, fields: Fields) -> None:
    """Let a call in: known application, living token, a date within five minutes, something left of the quota."""
    know_app(work, fields)
    token = work.db.execute("SELECT * FROM tokens WHERE access = ?", (fields.get("accessToken", ""),)).fetchone()
    if token is None:
        raise Refusal(10003)
    if token["revoked"] or token["expires_at"] <= work.now:
        raise Refusal(10004)
    if abs(number(fields, "date") - work.now) > DRIFT:
        raise Refusal(80000)
    used = int(work.setting("used"))
    if used >= int(work.setting("quota")):
        raise Refusal(30007)
    work.set("used", str(used + 1))


def token(work: Work, fields: Fields) -> Json:
    """Sign in by password, or refresh. A refresh ends the pair it came with: the strict reading of the documents."""
    know_secret(work, fields)
    if fields.get("grant_type") == "refresh_token":
        old = work.db.execute("SELECT * FROM tokens WHERE refresh = ?", (fields.get("refresh_token", ""),)).fetchone()
        if old is None:
            raise Refusal(10011)
        work.db.execute("DELETE FROM tokens WHERE refresh = ?", (old["refresh"],))
        return _new_token(work, old["username"])
    known = (work.setting("username"), work.setting("password"))
    if (fields.get("username"), fields.get("password")) != known:
        raise Refusal(10007)
    return _new_token(work, known[0])


def _new_token(work: Work, username: str) -> Json:
    access, refresh = secrets.token_hex(16), secrets.token_hex(16)
    values = (access, refresh, username, work.now, work.now + TOKEN_LIFE)
    work.db.execute(
        "INSERT INTO tokens (access, refresh, username, created_at, expires_at) VALUES (?, ?, ?, ?, ?)", values
    )
    return {"access_token": access, "refresh_token": refresh, "uid": 1001, "expires_in": TOKEN_LIFE // 1000}


def add(work: Work, fields: Fields) -> Json:
    lock = work.lock(number(fields, "lockId"))
    code, kind = fields.get("keyboardPwd", ""), number(fields, "keyboardPwdType", PERIOD)
    if not code.isascii() or not code.isdigit() or not 4 <= len(code) <= 9:
        raise Refusal(-3006)
    if len(set(code)) == 1 or any(code in run for run in RUNS):
        raise Refusal(-2032)
    starts, ends = (0, 0) if kind == PERMANENT else (number(fields, "startDate"), number(fields, "endDate"))
    if kind not in (PERMANENT, PERIOD) or (kind == PERIOD and ends <= starts):
        raise Refusal(-3)
    if work.db.execute(
        "SELECT 1 FROM passcodes WHERE lock = ? AND code = ? UNION SELECT 1 FROM memory WHERE lock = ? AND code = ?",
        (lock["id"], code) * 2,
    ).fetchone():
        raise Refusal(-3007)
    name = fields.get("keyboardPwdName", "")[:100]
    values = (lock["id"], code, name, kind, starts, ends, work.now)
    made = work.db.execute(
        "INSERT INTO passcodes (lock, code, name, type, starts_at, ends_at, sent_at) VALUES (?, ?, ?, ?, ?, ?, ?)",
        values,
    )
    if fields.get("addType", "1") == THROUGH_GATEWAY:
        _remember(work, lock, int(made.lastrowid or 0))
    return {"keyboardPwdId": made.lastrowid}


def _remember(work: Work, lock: sqlite3.Row, passcode: int) -> None:
    """Write a code into the lock. Expired ones stay there until they are deleted, and fill it."""
    held = work.db.execute("SELECT count(*) FROM memory WHERE lock = ?", (lock["id"],)).fetchone()[0]
    if held >= lock["capacity"]:
        raise Refusal(-3009)
    work.db.execute(
        "INSERT INTO memory (lock, code, passcode, type, starts_at, ends_at, name)"
        " SELECT lock, code, id, type, starts_at, ends_at, name FROM passcodes WHERE id = ?",
        (passcode,),
    )


def delete(work: Work, fields: Fields) -> Json:
    lock, passcode = work.lock(number(fields, "lockId")), number(fields, "keyboardPwdId")
    found = work.db.execute("SELECT 1 FROM passcodes WHERE id = ? AND lock = ?", (passcode, lock["id"])).fetchone()
    if found is None:
        raise Refusal(-2009)
    if fields.get("deleteType", "1") == THROUGH_GATEWAY:  # left out, the cloud forgets what the lock still accepts
        work.db.execute("DELETE FROM memory WHERE lock = ? AND passcode = ?", (lock["id"], passcode))
    work.db.execute("DELETE FROM passcodes WHERE id = ?", (passcode,))
    return {"errcode": 0, "errmsg": "none error message"}


def list_passcodes(work: Work, fields: Fields) -> Json:
    lock = work.lock(number(fields, "lockId"))
    order = {0: "name, id", 1: "id DESC", 2: "name DESC, id"}.get(number(fields, "orderBy"))
    if order is None:
        raise Refusal(-3)
    sought = fields.get("searchStr", "")
    rows = work.db.execute(
        f"SELECT * FROM passcodes WHERE lock = ? AND (instr(name, ?) > 0 OR code = ?) ORDER BY {order}",  # noqa: S608
        (lock["id"], sought, sought),
    ).fetchall()
    items: list[Json] = [
        {
            "keyboardPwdId": row["id"], "lockId": row["lock"], "keyboardPwd": row["code"], "keyboardPwdName": row["name"],
            "keyboardPwdType": str(row["type"]), "startDate": row["starts_at"], "endDate": row["ends_at"],
            "sendDate": row["sent_at"], "isCustom": 1, "senderUsername": work.setting("username"),
        }
        for row in rows
    ]  # fmt: skip
    return _page(items, fields, most=200)


def list_locks(work: Work, fields: Fields) -> Json:
    rows = work.db.execute("SELECT * FROM locks ORDER BY id").fetchall()
    items: list[Json] = [
        {
            "lockId": row["id"], "lockName": f"S31_{row['id']}", "lockAlias": row["alias"], "lockMac": f"00:{row['id']}",
            "electricQuantity": row["battery"], "featureValue": "4F5A", "hasGateway": int(row["gateway"] is not None),
            "lockData": secrets.token_hex(16), "noKeyPwd": "8162543", "keyStatus": "110401", "userType": "110301",
            "timezoneRawOffset": row["zone"], "date": work.now,
        }
        for row in rows
    ]  # fmt: skip
    return _page(items, fields, most=1000)


def list_gateways(work: Work, fields: Fields) -> Json:
    rows = work.db.execute("SELECT * FROM gateways ORDER BY id").fetchall()
    items = [
        {"gatewayId": r["id"], "gatewayName": r["name"], "gatewayVersion": 2, "isOnline": r["online"]} for r in rows
    ]
    return _page(items, fields, most=200)


def gateways_of_lock(work: Work, fields: Fields) -> Json:
    lock = work.lock(number(fields, "lockId"))
    rows = work.db.execute("SELECT * FROM gateways WHERE id = ?", (lock["gateway"],)).fetchall()
    return {"list": [{"gatewayId": r["id"], "gatewayMac": "A0", "rssi": -60, "rssiUpdateDate": work.now} for r in rows]}


def _page(items: list[Json], fields: Fields, *, most: int) -> Json:
    page, size = number(fields, "pageNo"), number(fields, "pageSize")
    if page < 1 or not 1 <= size <= most:
        raise Refusal(-3)
    pages = -(-len(items) // size)
    shown = items[(page - 1) * size : page * size]
    return {"list": shown, "pageNo": page, "pageSize": size, "pages": pages, "total": len(items)}


def query_date(work: Work, fields: Fields) -> Json:
    return {"date": clock_of(work, work.lock(number(fields, "lockId")))}


def update_date(work: Work, fields: Fields) -> Json:
    lock = work.lock(number(fields, "lockId"))
    work.db.execute("UPDATE locks SET skew = ? WHERE id = ?", (number(fields, "date") - work.now, lock["id"]))
    return query_date(work, fields)


def month_count(work: Work, fields: Fields) -> Json:
    return {"monthRequestCount": int(work.setting("used"))}


Call = Callable[[Work, Fields], Json]
BY_SECRET: dict[str, Call] = {"/oauth2/token": token, "/app/getMonthRequestCount": month_count}
CALLS: dict[str, Call] = {
    "/v3/keyboardPwd/add": add,
    "/v3/keyboardPwd/delete": delete,
    "/v3/lock/listKeyboardPwd": list_passcodes,
    "/v3/lock/list": list_locks,
    "/v3/key/list": list_locks,
    "/v3/lock/queryDate": query_date,
    "/v3/lock/updateDate": update_date,
    "/v3/gateway/list": list_gateways,
    "/v3/gateway/listByLock": gateways_of_lock,
}
OPERATIONS = {
    "/oauth2/token": "token", "/app/getMonthRequestCount": "count", "/v3/keyboardPwd/add": "add",
    "/v3/keyboardPwd/delete": "delete", "/v3/lock/listKeyboardPwd": "list", "/v3/lock/list": "locks",
    "/v3/key/list": "locks", "/v3/lock/queryDate": "clock", "/v3/lock/updateDate": "clock",
    "/v3/gateway/list": "gateways", "/v3/gateway/listByLock": "gateways",
}  # fmt: skip


def goes_through_a_gateway(path: str, fields: Fields) -> bool:
    word = {"/v3/keyboardPwd/add": "addType", "/v3/keyboardPwd/delete": "deleteType"}.get(path)
    return OPERATIONS.get(path) == "clock" or (word is not None and fields.get(word, "1") == THROUGH_GATEWAY)
