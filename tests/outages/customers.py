"""A crowd that books, pays at the sandbox bank, looks and cancels, over HTTP; and a ledger of what was acknowledged to it."""

from __future__ import annotations

import random
import re
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import httpx

SLUG = "outages"  # of the club
CARD = "4111111111111111"
PATIENCE = 40.0  # seconds that a customer tries one step again while the site says 503
PREPARING = 80.0  # seconds that a customer waits for the bank's page: a lease of a killed checkout is 50
LOOKS = 20.0  # seconds that a customer looks at a payment
TOKEN = re.compile(r"/(?:checkout|booking|site/checkouts|user/bookings)/([A-Za-z0-9_-]{8,64})")
INPUT = re.compile(r"<input[^>]*>")


@dataclass(slots=True)
class Visit:
    """What one customer was told, in the order of life. Moments are monotonic; None: never told so."""

    slot: int
    held_at: float | None = None
    provider_id: str = ""  # the bank's id of the payment, where the customer was sent to it
    token: str = ""  # of the checkout, where the customer has it
    paid_at: float | None = None
    booked_at: float | None = None
    booking: str = ""  # its token
    cancelled_at: float | None = None


@dataclass
class Ledger:
    """Everything that was seen. `answers` are (moment, status) of the site; 0 stands for no answer at all."""

    visits: list[Visit] = field(default_factory=list)
    answers: list[tuple[float, int]] = field(default_factory=list)
    slowest: list[tuple[float, float]] = field(default_factory=list)  # (moment, seconds)
    bad: list[str] = field(default_factory=list)  # answers that nobody should see

    def sales(self, start: float, end: float) -> int:
        return sum(1 for visit in self.visits if visit.booked_at and start <= visit.booked_at < end)

    def statuses(self, start: float, end: float) -> Counter[int]:
        return Counter(status for at, status in self.answers if start <= at < end)

    def longest(self, start: float, end: float) -> float:
        return max((took for at, took in self.slowest if start <= at < end), default=0.0)


class GaveUp(Exception):
    """The customer has lost patience, or heard a no; the visit ends here."""


class Customer:
    """One browser. `unavailable_is_bad`: whether 503 may be seen at all (it may while PostgreSQL is dead)."""

    def __init__(self, site: str, ledger: Ledger, number: int, stopped: threading.Event) -> None:
        self.site, self.ledger, self.stopped = site, ledger, stopped
        self.random = random.Random(number)
        self.unavailable_is_bad = True

    def come(self, slot: int) -> None:
        """Visit once: by pages or by the API, and mostly to the end."""
        visit = Visit(slot)
        self.ledger.visits.append(visit)
        self.http = httpx.Client(trust_env=False, timeout=30, follow_redirects=False)
        ways = (self._by_page, self._by_api)
        try:
            self.random.choice(ways)(visit)
        except GaveUp:
            return
        finally:
            self.http.close()

    def _by_page(self, visit: Visit) -> None:
        if self.random.random() < 0.2:
            self._ask("GET", f"{self.site}/{SLUG}/")
        address = f"{self.site}/{SLUG}/slots/{visit.slot}/"
        form = inputs(self._ask("GET", address).text)
        wanted = {name: form.get(name, "") for name in ("csrfmiddlewaretoken", "key")} | self._typed()
        told = self._ask("POST", address, data=wanted, headers={"Referer": address})
        self._held(visit, told.headers.get("location", ""), "")
        self._pay(visit)
        back = f"{self.site}/checkout/{visit.token}/return/"
        deadline = time.monotonic() + LOOKS
        while time.monotonic() < deadline:
            told = self._ask("GET", back)
            if told.status_code == 302 and "/booking/" in told.headers["location"]:
                self._booked(visit, token_in(told.headers["location"]))
                break
            back = f"{self.site}/checkout/{visit.token}/?n=1"
            self.stopped.wait(0.5)
        else:
            self._complain(f"paid and never booked: {visit}")
        booking = f"{self.site}/booking/{visit.booking}/"
        self._ask("GET", booking)
        if self.random.random() < 0.15:
            fields = inputs(self._ask("GET", f"{booking}cancel/").text)
            secret = {"csrfmiddlewaretoken": fields.get("csrfmiddlewaretoken", ""), "reason": "rain"}
            self._cancelled(
                visit, self._ask("POST", f"{booking}cancel/", data=secret, headers={"Referer": booking}, ok=(303, 409))
            )

    def _by_api(self, visit: Visit) -> None:
        api = f"{self.site}/api/v1"
        typed = self._typed()
        order = {
            "slot_id": visit.slot,
            "client": {name: typed[name] for name in ("full_name", "phone", "email")},
        }
        key = {"Idempotency-Key": uuid.uuid4().hex}
        told = self._ask("POST", f"{api}/site/bookings/individual", json=order, headers=key).json()
        self._held(visit, told["payment_url"] or "", told["status_url"])
        self._pay(visit)
        deadline = time.monotonic() + LOOKS
        while time.monotonic() < deadline:
            state = self._ask("GET", f"{told['status_url']}?look=1").json()
            if state["state"] == "confirmed":
                self._booked(visit, state["booking"]["token"])
                break
            self.stopped.wait(0.5)
        else:
            self._complain(f"paid and never booked: {visit}")
        self._ask("GET", f"{api}/user/bookings/{visit.booking}")
        if self.random.random() < 0.15:
            cancel = f"{api}/user/bookings/{visit.booking}/cancel"
            self._cancelled(visit, self._ask("POST", cancel, json={"reason": "rain"}, ok=(200, 409)))

    def _typed(self) -> dict[str, str]:
        phone = f"+7912{self.random.randrange(10**7):07d}"
        return {"full_name": "Анна Петрова", "phone": phone, "email": "anna@example.com", "consent": "on"}

    def _held(self, visit: Visit, where: str, status_url: str) -> None:
        """Note the acknowledged hold; one in ten leaves it at that. Wait for the bank's page where it is not known yet."""
        visit.held_at = time.monotonic()
        visit.token = token_in(status_url or where)
        deadline = time.monotonic() + PREPARING
        while "/pay/" not in where:
            if time.monotonic() > deadline:
                raise GaveUp
            self.stopped.wait(1)
            found = self._ask("GET", f"{self.site}/api/v1/site/checkouts/{visit.token}").json()
            where = found["payment_url"] or ""
        visit.provider_id = where.rsplit("/", 1)[1]
        self.bank_page = where
        if self.random.random() < 0.1:
            raise GaveUp

    def _pay(self, visit: Visit) -> None:
        told = self.http.post(self.bank_page, data={"card_number": CARD})
        if told.status_code != 302:
            self._complain(f"the bank says {told.status_code}")
        visit.paid_at = time.monotonic()
        visit.token = visit.token or token_in(told.headers["location"])

    def _booked(self, visit: Visit, token: str) -> None:
        visit.booked_at, visit.booking = time.monotonic(), token

    def _cancelled(self, visit: Visit, told: httpx.Response) -> None:
        """Note an acknowledged cancel. 409 answers the repeat of one that was made before PostgreSQL died."""
        if told.status_code != 409:
            visit.cancelled_at = time.monotonic()

    def _ask(
        self, method: str, address: str, *, ok: tuple[int, ...] = (200, 201, 302, 303), **what: object
    ) -> httpx.Response:
        """Send a request; while the site is unavailable send it again, as its page asks to."""
        deadline = time.monotonic() + PATIENCE
        while True:
            answer = self._once(method, address, **what)
            if answer is not None and answer.status_code in ok:
                return answer
            if answer is not None and answer.status_code != 503:
                self._complain(f"{answer.status_code} for {method} {address}: {answer.text[:200]!r}")
            if time.monotonic() > deadline or self.stopped.is_set():
                raise GaveUp
            self.stopped.wait(1)

    def _once(self, method: str, address: str, **what: object) -> httpx.Response | None:
        began = time.monotonic()
        try:
            answer = self.http.request(method, address, **what)  # type: ignore[arg-type]
        except httpx.TransportError as error:
            self.ledger.answers.append((time.monotonic(), 0))
            self.ledger.bad.append(f"no answer to {method} {address}: {error!r}")
            return None
        now = time.monotonic()
        self.ledger.answers.append((now, answer.status_code))
        self.ledger.slowest.append((now, now - began))
        if answer.status_code == 503 and (self.unavailable_is_bad or "retry-after" not in answer.headers):
            self.ledger.bad.append(f"503 for {method} {address}, Retry-After: {answer.headers.get('retry-after')}")
        return answer

    def _complain(self, what: str) -> None:
        self.ledger.bad.append(what)
        raise GaveUp


class Crowd:
    """with Crowd(site, slots) as crowd: ...   so many customers at a time, each thinking `think` seconds between two visits."""

    def __init__(self, site: str, slots: list[int], *, customers: int = 4, think: float = 1.0) -> None:
        self.ledger, self._site = Ledger(), site
        self._stopped = threading.Event()
        self._slots, self._lock, self._think = iter(slots), threading.Lock(), think
        self._people = [Customer(site, self.ledger, number, self._stopped) for number in range(customers)]
        self._threads = [threading.Thread(target=self._live, args=(person,), daemon=True) for person in self._people]

    def __enter__(self) -> Crowd:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *problem: object) -> None:
        self._stopped.set()
        for thread in self._threads:
            thread.join(60)

    def may_see_unavailable(self, may: bool) -> None:
        for person in self._people:
            person.unavailable_is_bad = not may

    def page_answers(self) -> bool:
        """Whether a page that needs PostgreSQL answers to somebody who comes now."""
        return httpx.get(f"{self._site}/{SLUG}/", trust_env=False, timeout=10).status_code == 200

    def _live(self, person: Customer) -> None:
        while not self._stopped.is_set():
            with self._lock:
                slot = next(self._slots, None)
            if slot is None:
                self.ledger.bad.append("everything is sold: offer more days")
                return
            person.come(slot)
            self._stopped.wait(self._think * person.random.uniform(0.5, 1.5))


def token_in(address: str) -> str:
    found = TOKEN.search(address)
    return found[1] if found else ""


def inputs(page: str) -> dict[str, str]:
    """Return every input of a page by name."""
    found = {}
    for tag in INPUT.findall(page):
        name, value = re.search(r'name="([^"]*)"', tag), re.search(r'value="([^"]*)"', tag)
        if name:
            found[name[1]] = value[1] if value else ""
    return found


def wait_until(true: Callable[[], bool], seconds: float, pause: float = 0.5) -> float | None:
    """Return after how many seconds it became true; None where it did not."""
    began = time.monotonic()
    while not true():
        if time.monotonic() - began > seconds:
            return None
        time.sleep(pause)
    return time.monotonic() - began
