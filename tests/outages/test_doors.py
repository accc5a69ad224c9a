"""A sunbed booked now and cancelled, with real workers: how long the cancelled code still opens the sandbox's door."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.access.conftest import DOOR
from tests.outages.customers import CARD, wait_until
from tests.outages.platform import Platform

pytestmark = [pytest.mark.xdist_group("outages"), pytest.mark.timeout(600)]
REVOKED = 60.0  # seconds, of an online lock
Say = Callable[[str, object], None]
ANNA = {"full_name": "Анна Петрова", "phone": "+79123456789", "email": "anna@example.com"}


class Guest:
    """Books what is free right now, pays at the bank, and reads the code."""

    def __init__(self, palms: Platform) -> None:
        self.palms, self.http = palms, httpx.Client(trust_env=False, timeout=30)
        self.token = self._book()
        assert wait_until(lambda: self._access().status_code == 200, REVOKED) is not None, self._access().text
        self.code = str(self._access().json()["code"])

    def _api(self, method: str, path: str, **what: Any) -> httpx.Response:
        return self.http.request(method, f"{self.palms.site}/api/v1/{path}", **what)

    def _book(self) -> str:
        now = int(time.time()) // 1800 * 1800
        order = {"area_id": self.palms.bed, "date_from": _iso(now), "date_to": _iso(now + 7200), "client": ANNA}
        held = self._api("POST", "site/bookings/individual", json=order)
        assert held.status_code == 201, held.text
        told = held.json()
        assert self.http.post(told["payment_url"], data={"card_number": CARD}).status_code == 302
        state: dict[str, Any] = {}

        def confirmed() -> bool:
            state.update(self.http.get(f"{told['status_url']}?look=1").json())
            return bool(state["state"] == "confirmed")

        assert wait_until(confirmed, 20) is not None, state
        return str(state["booking"]["token"])

    def _access(self) -> httpx.Response:
        return self._api("GET", f"user/bookings/{self.token}/access")

    def cancel(self) -> None:
        """The club cancels; from then on nobody is told the code."""
        [[booking]] = self.palms.sql("SELECT id FROM bookings_booking WHERE token = %s", [self.token])
        done = self._api(
            "POST", f"club/bookings/{booking}/status", json={"status": "CANCELED_BY_CLUB", "reason": "storm"},
            headers={"Authorization": f"Bearer {self.palms.key}"},
        )  # fmt: skip
        assert done.status_code == 200, done.text
        told = self._access()
        assert (told.status_code, told.json()["code"]) == (403, "access_not_open")

    def opens(self) -> bool:
        typed = self.http.post(f"{self.palms.bank}/_control/ttlock/type", json={"lock": DOOR, "code": self.code})
        return bool(typed.json()["opened"])

    def shut_after(self) -> float | None:
        """Return after how many seconds the code opens nothing any more; None where it opens for a minute."""
        return wait_until(lambda: not self.opens(), REVOKED, pause=0.2)


def _iso(moment: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(moment))


def test_a_cancelled_code_opens_nothing_within_a_minute(palms: Platform, record_property: Say) -> None:
    guest = Guest(palms)
    assert guest.opens()
    guest.cancel()
    shut = guest.shut_after()
    record_property("shut after, s", shut)
    assert shut is not None


@pytest.mark.parametrize("gone", ["redis", "workers"])
def test_cancelled_without_helpers_it_opens_nothing_a_minute_after_they_return(
    palms: Platform, gone: str, record_property: Say
) -> None:
    guest = Guest(palms)
    getattr(palms, f"kill_{gone}")()
    guest.cancel()
    getattr(palms, f"start_{gone}")()
    shut = guest.shut_after()
    record_property("shut after, s", shut)
    assert shut is not None
