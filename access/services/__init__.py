"""What bookings, pages, the API and the admin may ask of doors."""

from access.selectors import AccessCode, get_access_code
from access.services.accounts import check_account, save_account
from access.services.fitting import check_lock, fit_lock, set_in_use
from access.services.granting import (
    ask_for_code,
    clear_access,
    issue,
    plan_grant,
    revoke,
)

__all__ = [
    "AccessCode",
    "ask_for_code",
    "check_account",
    "check_lock",
    "clear_access",
    "fit_lock",
    "get_access_code",
    "issue",
    "plan_grant",
    "revoke",
    "save_account",
    "set_in_use",
]
