"""python -m sandbox --port 8001 --data FOLDER --notify-url URL [--shop ID:SECRET[:NOTIFY_URL] ...]"""

import argparse
import logging
import signal
import sys
import threading
from pathlib import Path
from types import FrameType

from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from sandbox.clock import Clock
from sandbox.shell import Shell
from sandbox.ttlock.room import TTLock
from sandbox.yookassa.room import YooKassa
from sandbox.yookassa.shops import DEFAULT_SHOP, shop_from_option


class QuietHandler(WSGIRequestHandler):
    """The calls log in the database replaces one line per request on the terminal."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        return


def options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser("sandbox", description="Stand-ins for the providers Palms talks to.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8001, help="0 takes a free one; the ready line says which")
    parser.add_argument(
        "--data", type=Path, default=Path("sandbox-data"), help="folder of the sqlite files; a restart continues"
    )
    parser.add_argument("--notify-url", help="where notifications go, for every shop that names no address of its own")
    parser.add_argument("--lock-callback-url", help="where locks report what is typed on them; otherwise nowhere")
    parser.add_argument("--base-url", help="how browsers reach the sandbox; otherwise taken from each create call")
    parser.add_argument("--shop", action="append", default=[], metavar="ID:SECRET[:NOTIFY_URL]", type=shop_from_option)
    return parser.parse_args(arguments)


def build(given: argparse.Namespace) -> Shell:
    given.data.mkdir(parents=True, exist_ok=True)
    clock = Clock(given.data / "clock.json")
    shops = given.shop or [DEFAULT_SHOP]
    bank = YooKassa(given.data / "yookassa.sqlite3", clock, shops, notify_url=given.notify_url, base_url=given.base_url)
    return Shell(clock, [bank, TTLock(given.data / "ttlock.sqlite3", clock, callback_url=given.lock_callback_url)])


def stop_on_signals(server: BaseWSGIServer) -> None:
    def stop(_number: int, _frame: FrameType | None) -> None:
        threading.Thread(target=server.shutdown, daemon=True).start()  # shutdown waits for the loop this thread runs

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)


def main(arguments: list[str]) -> int:
    given = options(arguments)
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    shell = build(given)
    server = make_server(given.host, given.port, shell, threaded=True, request_handler=QuietHandler)
    stop_on_signals(server)
    shell.start()
    print(f"sandbox ready http://{given.host}:{server.server_port}", flush=True)
    try:
        server.serve_forever()
    finally:
        shell.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
