"""Edits of what somebody has read: ETag names a row's version, If-Match asks that it still be the stored one (RFC 9110)."""

from __future__ import annotations

import re

from django.utils.translation import gettext as _
from rest_framework.request import Request

from palms.errors import StaleVersion, ValidationFailed

TAG = r'(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"'
TAGS = re.compile(rf"{TAG}(?:[ \t]*,[ \t]*{TAG})*")
OURS = re.compile(r'"([1-9][0-9]{0,9})"')  # strong: a weak tag matches nothing
LONGEST = 1000


def etag_of(version: int) -> str:
    """Return the value of the header ETag."""
    return f'"{version}"'


def required_version(request: Request) -> int | None:
    """Return the version that If-Match demands; None where any will do (no header, or "*").

    Raises:
        ValidationFailed: the header is no list of entity tags, or names several versions.
        StaleVersion: no tag in it can be one of ours, so none matches.
    """
    given = request.headers.get("If-Match")
    if given is None or given.strip() == "*":
        return None
    if len(given) > LONGEST or not TAGS.fullmatch(given.strip()):
        raise ValidationFailed(errors={"If-Match": [_('Give the ETag as it was answered, for example "3"')]})
    ours = (OURS.fullmatch(tag) for tag in re.findall(TAG, given))
    versions = {int(tag[1]) for tag in ours if tag}
    if not versions:
        raise StaleVersion
    if len(versions) > 1:
        raise ValidationFailed(errors={"If-Match": [_("Give one version")]})
    return versions.pop()


def require_version(stored: int, required: int | None) -> None:
    """Compare under the row's lock. Raises StaleVersion, with the `version` that is stored."""
    if required not in (None, stored):
        raise StaleVersion(version=stored)
