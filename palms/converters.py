"""What addresses carry: a moment in UTC to the minute, as 20261124T0900Z. Importing it makes it known to `path`."""

from datetime import UTC, datetime

from django.urls import register_converter

PATTERN = "%Y%m%dT%H%MZ"


class MomentConverter:
    regex = "2[01][0-9]{6}T[0-9]{4}Z"

    def to_python(self, value: str) -> datetime:
        """Return the aware moment. Raises ValueError, to Django the same as no match, for a day or hour that is none."""
        return datetime.strptime(value, PATTERN).replace(tzinfo=UTC)

    def to_url(self, value: datetime) -> str:
        return value.astimezone(UTC).strftime(PATTERN)


register_converter(MomentConverter, "moment")
