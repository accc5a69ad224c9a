"""Every code that the API refuses with is provoked over HTTP by a test that is named here."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import pytest
from django.utils import translation

from palms.document import build
from palms.errors import DomainError
from palms.openapi import _kinds, refusals

ROOT = Path(__file__).resolve().parents[2]
EVERYWHERE = {"method_not_allowed", "internal_error"}  # of any address, so of no operation in the document
PROOFS = {
    "malformed_request": "tests/api/test_garbage.py::test_what_is_not_json_is_malformed",
    "validation_failed": "tests/api/test_callers.py::test_a_broken_query_is_named",
    "timezone_required": "tests/api/test_club_bookings.py::test_a_moment_names_its_offset",
    "status_not_settable": "tests/api/test_club_booking_steps.py::test_other_statuses_are_not_set",
    "reason_required": "tests/api/test_booking.py::test_a_cancel_says_why",
    "charge_required": "tests/api/test_club_booking_steps.py::test_a_close_that_cannot_be",
    "not_authenticated": "tests/api/test_callers.py::test_no_valid_key_is_401",
    "permission_denied": "tests/api/test_callers.py::test_a_key_needs_the_scope",
    "access_not_open": "tests/pages/test_door.py::test_before_the_time_the_page_says_when",
    "not_found": "tests/api/test_matrix.py::test_another_club_is_not_there",
    "method_not_allowed": "tests/api/test_club_booking_steps.py::test_each_call_has_its_method",
    "not_acceptable": "tests/api/test_garbage.py::test_only_json_is_written",
    "slot_taken": "tests/api/test_checkout.py::test_a_taken_slot_is_a_conflict",
    "slot_closed": "tests/api/test_club_booking_steps.py::test_a_move_to_what_is_taken_or_not_ours_changes_nothing",
    "slot_in_past": "tests/api/test_garbage.py::test_a_slot_that_has_begun_is_a_conflict",
    "slot_duplicate": "tests/api/test_slots.py::test_the_same_time_is_offered_once",
    "slot_in_use": "tests/api/test_slots.py::test_a_slot_in_use_keeps_its_dates_its_area_and_its_places",
    "transition_not_allowed": "tests/api/test_club_booking_steps.py::test_a_request_is_approved_once",
    "booking_finished": "tests/api/test_club_booking_steps.py::test_a_finished_booking_is_not_changed",
    "payment_required": "tests/api/test_club_booking_steps.py::test_confirming_needs_money",
    "payment_in_progress": "tests/api/test_club_booking_steps.py::test_who_is_at_the_banks_page_may_be_paying",
    "hold_expired": "tests/api/test_checkout.py::test_a_key_whose_hold_has_died_takes_a_new_one",
    "call_the_club": "tests/api/test_checkout.py::test_a_blocked_client_hears_whom_to_call_and_not_why",
    "overdue_unpaid": "tests/api/test_club_booking_steps.py::test_a_fee_that_is_owed_stands_in_the_way_of_a_close",
    "too_early_to_close": "tests/api/test_club_booking_steps.py::test_a_close_that_cannot_be",
    "charge_exceeds_authorization": "tests/api/test_club_booking_steps.py::test_a_close_that_cannot_be",
    "access_preparing": "tests/pages/test_door.py::test_inside_the_time_the_page_prepares_and_then_shows_the_code",
    "too_many_endpoints": "tests/webhooks/test_api.py::test_the_eleventh_is_refused",
    "endpoint_off": "tests/webhooks/test_api.py::test_the_whole_life_over_http",
    "idempotency_in_progress": "tests/races/test_publishing.py::test_a_failure_is_not_kept_and_a_dead_first_run_is_taken_over",
    "stale_version": "tests/api/test_club_booking_steps.py::test_who_has_seen_an_older_version_changes_nothing",
    "request_too_large": "tests/api/test_garbage.py::test_a_body_beyond_a_megabyte_is_too_large",
    "unsupported_media_type": "tests/api/test_garbage.py::test_only_json_is_read",
    "idempotency_mismatch": "tests/api/test_checkout.py::test_a_known_key_with_another_body_is_refused",
    "throttled": "tests/api/test_callers.py::test_a_rate_limit_says_when_to_come_back",
    "internal_error": "tests/api/test_problems.py::test_whatever_is_raised_has_its_code_and_no_secrets",
    "provider_unavailable": "tests/api/test_checkout.py::test_a_bank_that_refuses_frees_the_place",
    "database_unavailable": "tests/api/test_checkout.py::test_a_crowded_database_says_try_again",
}


def told() -> set[str]:
    """Return the codes of all operations."""
    return {
        code
        for methods in build()["paths"].values()
        for operation in methods.values()
        for answer in operation["responses"].values()
        for code in re.findall(r"`(\w+)`", answer["description"])
    }


def source_of(proof: str) -> str:
    """Return a test with its decorators. Raises StopIteration."""
    path, _sep, name = proof.partition("::")
    text = (ROOT / path).read_text()
    found: Any = next(one for one in ast.parse(text).body if isinstance(one, ast.FunctionDef) and one.name == name)
    first = min([found.lineno, *(decorator.lineno for decorator in found.decorator_list)])
    return "\n".join(text.splitlines()[first - 1 : found.end_lineno])


def test_every_code_of_the_document_has_its_test_and_no_other() -> None:
    assert told() | EVERYWHERE == set(PROOFS)


@pytest.mark.parametrize("code", PROOFS)
def test_the_test_of_a_code_is_there_and_names_it(code: str) -> None:
    text = source_of(PROOFS[code])
    around = (ROOT / PROOFS[code].partition("::")[0]).read_text() if "RAISED" in text or "parametrize" in text else ""

    assert f'"{code}"' in text or f'"{code}"' in around


@pytest.mark.parametrize("code", PROOFS)
def test_a_title_speaks_both_languages(code: str) -> None:
    kinds = [kind for kind in _kinds(DomainError) if kind.code == code]
    for kind in kinds:
        with translation.override("en"):
            english = str(kind.title)
        with translation.override("ru"):
            assert re.search("[а-я]", str(kind.title)), kind
        assert not re.search("[а-я]", english), kind
    assert kinds or refusals()[code][1]
