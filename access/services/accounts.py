"""Reaching an account's locks: living tokens, the month's quota, and whose turn it is at a gateway.

Nothing here holds a transaction or a connection while TTLock thinks: turns and renewals are leases, committed before the call.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Case, F, When

from access.models import LockAccount, Turn
from access.providers.base import Locks, LockTrouble, Misconfigured, NotOurTurn, SignedOut
from access.providers.ttlock import Application, Tokens, TTLock, renew, sign_in
from palms import intents, points
from palms.actors import Actor, acting
from palms.clock import now_utc, to_zone
from palms.errors import NotPermitted
from palms.intents import Done, Refused, Unknown
from palms.secrets import SecretUnreadable, seal, unseal

T = TypeVar("T")
CLOUD_PATIENCE = 5.0  # seconds, of calls that no gateway takes part in
SLACK = timedelta(seconds=10)
RENEWED_AHEAD = timedelta(days=1)
BEIJING = ZoneInfo("Asia/Shanghai")  # where the quota's month begins
SPARE = 0.8  # of the quota: beyond it only codes are added and removed
ASKED = points.call("ttlock.call")
SIGNED_IN = points.call("ttlock.token")
LEASED, KEPT, NOTED = (points.commit(f"access.{name}") for name in ("tokens leased", "tokens kept", "trouble noted"))
COUNTED, TAKEN, ENDED = (points.commit(f"access.{name}") for name in ("call counted", "turn taken", "turn ended"))
TURN = """
    INSERT INTO access_turn AS t (account_id, gateway, leased_until) VALUES (%(account)s, %(gateway)s, %(until)s)
    ON CONFLICT (account_id, gateway) DO UPDATE SET leased_until = excluded.leased_until WHERE t.leased_until <= %(now)s
    RETURNING id
"""


@transaction.atomic
def save_account(*, account: LockAccount, password: str, actor: Actor) -> LockAccount:
    """Store an account; a new password ends its tokens. Raises NotPermitted."""
    if not actor.owns(account.club_id):
        raise NotPermitted
    if password:
        md5 = hashlib.md5(password.encode(), usedforsecurity=False).hexdigest()  # as the protocol wants it
        account.credentials, account.tokens, account.tokens_expire_at = seal({"password_md5": md5}), "", None
    with acting(actor):
        account.save()
    return account


def with_locks(account_id: int, act: Callable[[Locks], T], *, patience: float) -> T:
    """Let `act` talk to an account's locks; a token that is not accepted is renewed once. Outside any transaction.

    Raises:
        LockTrouble, of whichever class.
    """
    account = LockAccount.objects.get(pk=account_id)
    intents.let_go()
    access = _access_token(account)
    try:
        return act(_client(account, access, patience))
    except SignedOut:
        access = _renew(account_id, spoiled=access, patience=CLOUD_PATIENCE)
    try:
        return act(_client(account, access, patience))
    except SignedOut as again:  # the owner of the locks has taken our right back
        _note(account_id, trouble=str(again))
        raise Misconfigured(again.code) from again


def check_account(*, account_id: int) -> Done | Refused | Unknown:
    """Sign in anew with what is stored, when people ask whether it works. Outside any transaction."""
    intents.let_go()
    try:
        _renew(account_id, spoiled=None, patience=CLOUD_PATIENCE)
    except Misconfigured as no:
        return Refused(str(no.code))
    except LockTrouble as trouble:
        return Unknown(str(trouble))
    return Done()


def _client(account: LockAccount, access: str, patience: float) -> Locks:
    def count() -> None:
        _count(account.pk)
        intents.let_go()

    return TTLock(application(), access, count)


def application() -> Application:
    """Return our registration at TTLock, from the environment. Raises Misconfigured."""
    if not (settings.TTLOCK_CLIENT_ID and settings.TTLOCK_CLIENT_SECRET):
        raise Misconfigured("TTLOCK_CLIENT_ID and TTLOCK_CLIENT_SECRET are not set")
    return Application(settings.TTLOCK_API_URL, settings.TTLOCK_CLIENT_ID, settings.TTLOCK_CLIENT_SECRET)


def _access_token(account: LockAccount) -> str:
    expires_at = account.tokens_expire_at
    known = str(_open(account.tokens).get("access", ""))
    if known and expires_at and expires_at > now_utc() + RENEWED_AHEAD:
        return known
    return _renew(account.pk, spoiled=known, patience=CLOUD_PATIENCE)  # unless another has, since we looked


def _open(sealed: str) -> dict[str, Any]:
    try:
        return unseal(sealed) if sealed else {}
    except SecretUnreadable as error:
        raise Misconfigured("no key opens what is stored") from error


def _renew(account_id: int, *, spoiled: str | None, patience: float) -> str:
    """Renew the tokens, unless somebody has already. Raises NotOurTurn while somebody else does."""
    with LEASED:
        account = LockAccount.objects.select_for_update(no_key=True).get(pk=account_id)
        now = now_utc()
        stored = _open(account.tokens)
        if spoiled is not None and stored.get("access") not in (None, spoiled):
            return str(stored["access"])
        if account.leased_until is not None and account.leased_until > now:
            raise NotOurTurn("tokens are being renewed")
        LockAccount.objects.filter(pk=account_id).update(leased_until=now + timedelta(seconds=2 * patience) + SLACK)
    intents.let_go()
    try:
        tokens = _fetch(account, str(stored.get("refresh", "")), patience)
    except Misconfigured as trouble:
        _note(account_id, trouble=str(trouble))
        raise
    _keep(account_id, tokens)
    return tokens.access


def _fetch(account: LockAccount, refresh: str, patience: float) -> Tokens:
    app = application()
    if refresh:
        try:
            with SIGNED_IN:
                return renew(app, refresh, patience=patience)
        except SignedOut:
            pass  # its answer was lost once, or somebody signed us out: the password still counts
    password = str(_open(account.credentials).get("password_md5", ""))
    if not password:
        raise Misconfigured("no password is stored")
    with SIGNED_IN:
        return sign_in(app, account.username, password, patience=patience)


def _keep(account_id: int, tokens: Tokens) -> None:
    sealed = seal({"access": tokens.access, "refresh": tokens.refresh})
    with KEPT:
        LockAccount.objects.filter(pk=account_id).update(
            tokens=sealed, tokens_expire_at=now_utc() + timedelta(seconds=tokens.seconds), leased_until=None, trouble=""
        )
    intents.let_go()


def _note(account_id: int, *, trouble: str) -> None:
    with NOTED:
        LockAccount.objects.filter(pk=account_id).update(trouble=trouble[:200], leased_until=None)
    intents.let_go()


def _count(account_id: int) -> None:
    month = month_of_quota(now_utc())
    with COUNTED:
        LockAccount.objects.filter(pk=account_id).update(
            calls=Case(When(counted_from=month, then=F("calls") + 1), default=1), counted_from=month
        )


def month_of_quota(now: datetime) -> date:
    return to_zone(now, BEIJING).date().replace(day=1)


def has_spare_calls(account: LockAccount, now: datetime) -> bool:
    """Whether calls that nobody waits for may be made: most of the month's quota is left."""
    return account.counted_from != month_of_quota(now) or account.calls < account.quota * SPARE


@contextmanager
def turn(account_id: int, gateway: str, *, patience: float) -> Iterator[None]:
    """Have a gateway to ourselves for some calls of this patience each; a dead holder's turn ends by itself.

    Raises:
        NotOurTurn: it is somebody else's.
    """
    now = now_utc()
    asked: dict[str, Any] = {
        "account": account_id, "gateway": gateway, "now": now, "until": now + timedelta(seconds=3 * patience) + SLACK,
    }  # fmt: skip
    with TAKEN, connection.cursor() as cursor:
        cursor.execute(TURN, asked)
        row = cursor.fetchone()
    if row is None:
        raise NotOurTurn("another call is under way")
    intents.let_go()
    try:
        with ASKED:
            yield
    finally:
        with ENDED:
            Turn.objects.filter(pk=row[0], leased_until=asked["until"]).update(leased_until=now_utc())
