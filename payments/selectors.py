"""Reads of payments and accounts."""

from __future__ import annotations

from payments.models import Payment, ProviderAccount


def account_of_club(club_id: int, *, test_only: bool = False) -> ProviderAccount | None:
    """Return the account that the club's checkout uses, if it has one; `test_only`: a test account, that one if it is."""
    rows = ProviderAccount.objects.filter(club_id=club_id)
    return (
        rows.filter(is_test=True).order_by("-is_default", "-pk") if test_only else rows.filter(is_default=True)
    ).first()


def payments_of(booking_id: int) -> list[Payment]:
    """Return a booking's payments with their refunds, oldest first."""
    rows = Payment.objects.filter(booking_id=booking_id).prefetch_related("refunds")
    return list(rows.order_by("created_at", "pk"))
