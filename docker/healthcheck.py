"""Healthy: process 1 is no web server (a worker or beat lives while its process does), or it answers /health/live."""

import http.client
import os
import sys
from pathlib import Path


def main() -> int:
    if b"gunicorn" not in Path("/proc/1/cmdline").read_bytes():
        return 0
    host = os.environ.get("PALMS_ALLOWED_HOSTS", "localhost").split(",")[0].lstrip(".")
    line = http.client.HTTPConnection("127.0.0.1", int(os.environ.get("PORT", "8000")), timeout=4)
    try:
        line.request("GET", "/health/live", headers={"Host": host})
        return 0 if line.getresponse().status == 200 else 1
    except (OSError, http.client.HTTPException):
        return 1


if __name__ == "__main__":
    sys.exit(main())
