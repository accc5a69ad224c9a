"""`manage.py makemessages`: Django's own, which also finds `_t(...)`, our name for gettext beside a lazy `_`."""

from django.core.management.commands import makemessages


class Command(makemessages.Command):
    xgettext_options = [*makemessages.Command.xgettext_options, "--keyword=_t"]
