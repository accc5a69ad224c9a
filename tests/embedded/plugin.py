"""The test run's own PostgreSQL and environment, ready before pytest-django reads the settings.

Loaded by `-p` from pytest.ini: a conftest.py comes too late for that. The controller of a parallel run starts one server and its
workers inherit the environment. DATABASE_URL or PALMS_TEST_DATABASE_URL names a server to use instead (one that stays warm
between runs: `python -m palms.embedded postgres`).
"""

import atexit
import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from cryptography.fernet import Fernet

from palms.embedded.postgres import temporary_server
from palms.embedded.problem import StartProblem

PREPARED = "PALMS_TEST_PREPARED"
_until_the_end = ExitStack()
atexit.register(_until_the_end.close)  # a run that fails before it is configured is never unconfigured


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_load_initial_conftests() -> Iterator[None]:
    if PREPARED not in os.environ:
        _prepare()
    return (yield)


def pytest_unconfigure() -> None:
    _until_the_end.close()


def _prepare() -> None:
    """Set every name the settings read; nothing of the developer's own environment reaches the tests but DATABASE_URL."""
    url = os.environ.get("PALMS_TEST_DATABASE_URL") or os.environ.get("DATABASE_URL")
    if not url:
        try:
            url = _until_the_end.enter_context(temporary_server()).url
        except StartProblem as problem:
            raise pytest.UsageError(str(problem)) from problem
    mail = _until_the_end.enter_context(tempfile.TemporaryDirectory(prefix="palms-mail-"))
    for name in [name for name in os.environ if name.startswith("YOOKASSA_")]:
        del os.environ[name]
    os.environ |= {
        PREPARED: "1",
        "DATABASE_URL": url,
        "REDIS_URL": "",
        "PALMS_SECRET_KEY": "for-tests-only-" + "x" * 50,
        "PALMS_FIELD_KEYS": Fernet.generate_key().decode(),
        "PALMS_DEMO": "1",
        "WEB_THREADS": "1000",  # tests crowd hundreds of them into one process
        "PALMS_BASE_URL": "http://testserver",
        "PALMS_ALLOWED_HOSTS": "testserver,127.0.0.1,localhost",
        "PALMS_MAIL_DIR": mail,
        "YOOKASSA_API_URL": "http://127.0.0.1:9/v3",  # nobody listens there: a test that needs a bank starts one
    }
