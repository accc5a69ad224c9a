"""`python -m palms.embedded.prepare LOGINS`: migrate, and load demo data into an empty database; one process, one start."""

import sys

import django
from django.core.management import call_command


def main(logins: str) -> None:
    django.setup()
    call_command("migrate", interactive=False, verbosity=1)
    call_command("demo", "--out", logins)


if __name__ == "__main__":
    main(sys.argv[1])
