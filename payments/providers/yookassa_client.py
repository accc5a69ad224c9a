"""The official SDK's client for one shop and one call: its addresses, authorization, headers and errors, and what it lacks.

The SDK keeps credentials in a process-wide Configuration, waits for ever, sends a POST again on its own over https, follows
redirects and lets ~/.netrc replace the Authorization header. None of that happens here.
"""

from __future__ import annotations

import json
import math
import re
import time
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import HTTPError
from yookassa.client import ApiClient
from yookassa.domain.common import HttpVerb, UserAgent
from yookassa.domain.exceptions import ApiError

from payments.providers.base import ProviderRefused, ProviderUnknown

Json = dict[str, Any]
KEY = re.compile(r"[A-Za-z0-9+\-_.]{1,64}")
CODE = re.compile(r"[A-Za-z0-9_.\-]{1,64}")
CONNECT_LIMIT = 3.0  # seconds
LONGEST = 8_000_000  # bytes; a full page of a list is below a megabyte
NOT_LET_IN = (401, 403)
OUR_BUG = (405, 415)  # whoever says so, the operation was not reached
FINAL = (400, 404, 410, *NOT_LET_IN)  # of any other status the documents do not say that nothing was done
HERE = ("127.0.0.1", "localhost", "::1")


class NotLetIn(ProviderRefused):
    """The credentials were refused, not the operation: it may succeed with the same key once they are mended."""


@dataclass(frozen=True, slots=True)
class Shop:
    """A club's shop, and where its API is. `api_url` has no trailing slash."""

    id: str
    secret: str = field(repr=False)
    api_url: str


@dataclass(frozen=True, slots=True)
class Answer:
    """As much of a response as the SDK's `request` looks at."""

    status_code: int
    body: bytes = field(repr=False)

    def json(self) -> Any:
        """Read strictly. Raises ValueError also for NaN and infinity, which PostgreSQL would not store."""
        return json.loads(self.body, parse_constant=_finite, parse_float=_finite)


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"not a JSON number: {text}")
    return number


@cache
def _user_agent() -> Any:
    """The SDK's header about this machine; it reads files, so once."""
    return UserAgent()


class ShopClient(ApiClient):
    """One call in the name of one shop; make a new one for each.

    Raises:
        ProviderUnknown: no answer, or none that can be relied on.
        ProviderRefused: a final no; NotLetIn where the credentials were refused.
    """

    verify: bool | str = True  # certificates are always checked; a test names its own authority

    def __init__(self, shop: Shop, *, patience: float) -> None:
        # Not super().__init__(): it copies the process-wide Configuration, which another thread may be changing for another club.
        self.endpoint = shop.api_url
        self.shop_id, self.shop_password, self.auth_token = shop.id, shop.secret, None
        self.user_agent = _user_agent()
        self._patience = patience
        self._status: int | None = None

    def get(self, path: str, query: dict[str, str] | None = None) -> Json:
        return self._ask(HttpVerb.GET, path, query=query)

    def post(self, path: str, body: Json | None, *, key: str) -> Json:
        """Act. The key is never made up here: a repeat must be recognised as one."""
        if not KEY.fullmatch(key):
            raise ValueError("an idempotence key has 1 to 64 latin letters, digits or + - _ .")
        return self._ask(HttpVerb.POST, path, body=body, headers={"Idempotence-Key": key})

    def _ask(self, method: str, path: str, *, query: Any = None, headers: Any = None, body: Any = None) -> Json:
        if self._patience <= 0:
            raise ProviderUnknown("no time left to ask")
        try:
            answer = self.request(method, path, query, headers, body)
        except ApiError as error:
            raise _verdict(self._status, error.content) from error
        except AttributeError as broken:  # so the SDK says that there was no answer; the context holds the reason
            if not isinstance(broken.__context__, OSError | HTTPError):  # a defect of ours stays one
                raise
            raise ProviderUnknown(f"no answer: {type(broken.__context__).__name__}") from broken
        except (ValueError, TypeError, RecursionError) as garbled:  # not JSON, or no object where an error should be
            raise _verdict(self._status, None) from garbled
        if not isinstance(answer, dict):
            raise ProviderUnknown("the answer is not an object")
        return answer

    def execute(self, body: Any, method: str, path: str, query_params: Any, request_headers: Any) -> Answer:
        """Send once, read within our patience. Called by the SDK's `request`, which turns other statuses than 200 into errors.

        Nothing is logged: the SDK's own logs the Authorization header and the payer's card.
        """
        deadline = time.monotonic() + self._patience
        with (
            self.get_session() as session,
            session.request(
                method,
                self.endpoint + path,
                params=query_params,
                headers=request_headers,
                json=body,
                auth=_leave_alone,
                timeout=(min(CONNECT_LIMIT, self._patience), self._patience),
                allow_redirects=False,
                verify=self.verify,
                stream=True,
            ) as response,
        ):
            self._status = response.status_code
            return Answer(response.status_code, _read(response, deadline))

    def get_session(self) -> requests.Session:
        """A session that never sends twice: the SDK's own re-sends POSTs, and pauses, beyond our patience."""
        session = requests.Session()
        session.mount("https://", HTTPAdapter(max_retries=0))
        session.mount("http://", HTTPAdapter(max_retries=0))
        session.trust_env = urlsplit(self.endpoint).hostname not in HERE  # a proxy has no way to this machine's sandbox
        return session


def _leave_alone(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Any `auth` at all keeps requests from taking another one from ~/.netrc."""
    return request


def _read(response: requests.Response, deadline: float) -> bytes:
    """Read a body that may come in drops.

    Raises:
        requests.RequestException: broken, too long, or not complete by the deadline.
    """
    body = bytearray()
    try:
        while part := response.raw.read1(65536, decode_content=True):
            body += part
            if time.monotonic() > deadline:
                raise requests.ReadTimeout("the answer came too slowly")
            if len(body) > LONGEST:
                raise requests.exceptions.ContentDecodingError("the answer is too long")
    except (HTTPError, OSError) as broken:
        if isinstance(broken, requests.RequestException):
            raise
        raise requests.ConnectionError("the answer broke off") from broken
    return bytes(body)


def _verdict(status: int | None, body: Json | None) -> ProviderUnknown | ProviderRefused:
    """Translate an answer other than 200, or a 200 that cannot be read (body None)."""
    if status in OUR_BUG:
        return ProviderRefused(f"http_{status}")
    if status not in FINAL or body is None or body.get("type") != "error":
        return ProviderUnknown(f"no verdict: HTTP {status}")
    code = body.get("code")
    if not isinstance(code, str) or not CODE.fullmatch(code):
        return ProviderUnknown(f"no verdict: HTTP {status} without a code")
    if body.get("parameter") == "Idempotence-Key":  # known there: an earlier call of ours may have been executed
        return ProviderUnknown(f"{code}: the key was used before with other data")
    kind = NotLetIn if status in NOT_LET_IN else ProviderRefused
    return kind(code, _words(body.get("description")))


def _words(description: object) -> str:
    text = description if isinstance(description, str) else ""
    return "".join(letter for letter in text if letter.isprintable())[:200]
