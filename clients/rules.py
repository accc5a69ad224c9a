"""Phones as people type them, and as we keep them (E.164). Without a prefix Russia is assumed."""

import phonenumbers
from django.utils.translation import gettext as _

from palms.errors import ValidationFailed


def normal_phone(text: str) -> str:
    """Return the E.164 form of a typed phone ("8 (912) 345-67-89" becomes "+79123456789").

    Raises:
        ValidationFailed: not a possible phone number.
    """
    try:
        number = phonenumbers.parse(text[:40], "RU")
    except phonenumbers.NumberParseException:
        number = None
    if number is None or not phonenumbers.is_valid_number(number):
        raise ValidationFailed(errors={"phone": [_("Enter a phone number, for example +7 912 345-67-89")]})
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
