"""TTLock's refusals: always HTTP 200, told apart by `errcode`."""

from sandbox.web import Json

TEXTS = {
    1: "failed or means no",
    10000: "invalid client_id",
    10001: "invalid client",
    10003: "invalid token",
    10004: "invalid grant",
    10007: "invalid account or invalid password",
    10011: "invalid refresh_token",
    20002: "not lock admin",
    30007: "The number of calls of this month exceeds the limit",
    80000: "date must be current time, in 5 minutes",
    90000: "internal server error",
    -3: "invalid parameter",
    -1003: "Lock does not exist",
    -2009: "The Passcode does not exist",
    -2012: "There is no gateway around the lock",
    -2032: "The passcode is too simple",
    -3002: "The gateway is offline",
    -3003: "The gateway is busy",
    -3006: "Invalid passcode. Passcode should be between 4 - 9 digits in length",
    -3007: "The same passcode already exists",
    -3009: "The space of customized passcode is used up",
}


class Refusal(Exception):
    """A call that TTLock refuses. `errcode` is its number."""

    def __init__(self, errcode: int) -> None:
        super().__init__(errcode)
        self.errcode = errcode

    def body(self) -> Json:
        return {"errcode": self.errcode, "errmsg": TEXTS.get(self.errcode, "unknown error"), "description": "错误"}
