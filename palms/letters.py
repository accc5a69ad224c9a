"""Sending one letter as the call of a durable intent."""

from __future__ import annotations

import smtplib
from dataclasses import dataclass, field

from django.conf import settings
from django.core.mail import BadHeaderError, EmailMultiAlternatives
from django.template.loader import render_to_string
from django.utils.translation import override

from palms import intents, points
from palms.intents import Done, Job, Later, Outcome, Refused, Unknown

MAILED = points.call("mail.send")
MOST_TRIES = 30  # about a day


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file beside a letter. `kind` is its content type with parameters; a text is in UTF-8.

    `also_shown`: the text is another form of the letter too, as mail programs expect of an invitation that they show.
    """

    name: str
    content: bytes
    kind: str
    also_shown: bool = False


@dataclass(frozen=True, slots=True)
class Letter:
    """`to` is empty where nobody can be reached."""

    to: tuple[str, ...]
    subject: str
    text: str
    attachments: tuple[Attachment, ...] = field(default=())


def rendered(template: str, facts: dict[str, object], *, language: str) -> tuple[str, str]:
    """Return subject and text of a letter: the first line of its template, and the rest."""
    with override(language):
        text = render_to_string(template, facts).strip()
    subject, _sep, body = text.partition("\n")
    return subject.strip(), body.strip() + "\n"


def send(job: Job, letter: Letter) -> Outcome:
    """Send one letter. A lost answer may send it twice: both carry one Message-ID."""
    intents.let_go(briefly=True)
    if not letter.to:
        return Refused("nobody to write to")
    domain = settings.BASE_URL.split("//")[-1].split(":")[0] or "palms"
    message = EmailMultiAlternatives(
        letter.subject, letter.text, to=list(letter.to), headers={"Message-ID": f"<{job.key}@{domain}>"}
    )
    for file in letter.attachments:
        if file.also_shown:
            message.attach_alternative(file.content.decode(), file.kind)
        message.attach(file.name, file.content, file.kind)
    try:
        with MAILED:
            message.send(fail_silently=False)
    except (smtplib.SMTPRecipientsRefused, BadHeaderError) as no:
        return Refused(type(no).__name__)
    except (smtplib.SMTPException, OSError) as error:
        return Refused("gave up") if job.attempts >= MOST_TRIES else Unknown(type(error).__name__)
    return Done()


def close(job: Job, outcome: Done | Refused | Later) -> None:
    """Apply the outcome of a letter that is nobody's row."""
    if isinstance(outcome, Later):
        intents.postpone(job, outcome.at)
    else:
        intents.finish(job, outcome)
