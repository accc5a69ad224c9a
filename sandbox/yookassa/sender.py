"""The background thread that delivers notifications and lets time pass when nobody calls."""

import http.client
import ssl
import threading
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor

from sandbox.yookassa.notifications import due, due_now, record_attempt
from sandbox.yookassa.works import Works

TICK = 0.25  # real seconds between looks at the clock
PATIENCE = 10.0  # real seconds to wait for the shop's answer
AT_ONCE = 4


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object) -> None:
        """A redirect is not a 200: the notification is not delivered."""


def _any_certificate() -> urllib.request.HTTPSHandler:
    """YooKassa delivers to any certificate, self-signed ones too."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return urllib.request.HTTPSHandler(context=context)


class Sender:
    def __init__(self, works: Works) -> None:
        self._works = works
        self._lock = threading.Lock()
        self._busy: set[str] = (
            set()
        )  # ids of objects being told about, so one object's events keep their order at first
        self._pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="notify")
        self._thread = threading.Thread(target=self._run, name="notify", daemon=True)
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _any_certificate(), _NoRedirect)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Wait for what is on its way; the rest stays queued for the next start."""
        self._works.wake.set()
        if self._thread.is_alive():
            self._thread.join()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _run(self) -> None:
        while not self._works.stopping.is_set():
            self._works.wake.wait(TICK)
            self._works.wake.clear()
            with self._works.peek() as work:
                rows = due(work)
            for row in rows:
                self._submit(row["id"], row["object_id"])

    def _submit(self, notification_id: int, object_id: str) -> None:
        with self._lock:
            if object_id in self._busy:
                return
            self._busy.add(object_id)
        self._pool.submit(self._deliver, notification_id, object_id)

    def _deliver(self, notification_id: int, object_id: str) -> None:
        try:
            with self._works.peek() as work:  # look again: it may have been delivered between the look and the submit
                row = due_now(work, notification_id)
            if row is None:
                return
            answer = self._post(row["notify_url"], row["body_json"].encode())
            with self._works.peek() as work:
                record_attempt(work, notification_id, answer)
        finally:
            with self._lock:
                self._busy.discard(object_id)
            self._works.wake.set()

    def _post(self, url: str, body: bytes) -> int | str:
        """Return the HTTP status, or the words of the failure."""
        headers = {"Content-Type": "application/json", "User-Agent": "AHC/2.1"}
        try:
            request = urllib.request.Request(url, body, headers, method="POST")  # noqa: S310 - shops have http(s) only
            with self._opener.open(request, timeout=PATIENCE) as response:
                return int(response.status)
        except urllib.error.HTTPError as refusal:
            refusal.close()
            return refusal.code
        except (OSError, http.client.HTTPException, ValueError) as problem:
            return f"{type(problem).__name__}: {problem}"[:200]
