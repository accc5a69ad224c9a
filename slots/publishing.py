"""Publishing offers, one or thousands: the same few statements, all or nothing unless asked otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from django.db import transaction
from django.utils.translation import gettext as _

from clubs.models import Club
from palms.actors import Actor, acting
from palms.clock import now_utc
from palms.errors import DatabaseUnavailable, DomainError, NotPermitted, refusing
from slots.errors import SlotDuplicate, SlotInPast, SomeRefused
from slots.models import Slot
from slots.offers import Draft, Key, Known, differences, key_of, known_to, offered_as, slot_of

BATCH = 1000  # rows of one INSERT


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one draft or change: a new slot, another one, the one that was there already, or why not."""

    state: Literal["created", "changed", "unchanged", "refused"]
    slot_id: int | None = None
    refusal: DomainError | None = None


def publish_slot(*, club_id: int, draft: Draft, actor: Actor) -> Outcome:
    """Offer one slot; "unchanged" where its reference_id has been offered with the same content.

    Raises:
        NotPermitted, ValidationFailed, NotFound, SlotInPast, SlotDuplicate.
    """
    (outcome,) = publish_slots(club_id=club_id, drafts=[draft], actor=actor, partial=True)
    if outcome.refusal is not None:
        raise outcome.refusal
    return outcome


def publish_slots(
    *, club_id: int, drafts: Sequence[Draft | DomainError], actor: Actor, partial: bool = False
) -> list[Outcome]:
    """Offer many slots; returns one outcome per draft, in order. What is there already is not written again.

    A draft may come as the refusal that its reader met. Unless `partial`, one refusal means that nothing is written.

    Raises:
        NotPermitted. SomeRefused: not `partial`, and not everything can be offered.
    """
    if not actor.serves(club_id):
        raise NotPermitted
    with transaction.atomic(), acting(actor):
        judged = _judged(lock_offers(club_id), drafts)
        refused = {index: one.refusal for index, one in enumerate(judged) if isinstance(one, Outcome) and one.refusal}
        if refused and not partial:
            raise SomeRefused(refused)
        _store([one for one in judged if isinstance(one, Slot)])
    return [Outcome("created", one.pk) if isinstance(one, Slot) else one for one in judged]


def preview_slots(*, club_id: int, drafts: Sequence[Draft | DomainError], actor: Actor) -> list[Outcome]:
    """Say what `publish_slots` would make of these drafts now, and write nothing. Raises NotPermitted."""
    if not actor.serves(club_id):
        raise NotPermitted
    judged = _judged(Club.objects.get(pk=club_id), drafts)
    return [Outcome("created") if isinstance(one, Slot) else one for one in judged]


def _judged(club: Club, drafts: Sequence[Draft | DomainError]) -> list[Slot | Outcome]:
    desk = _Desk(known_to(club, (draft for draft in drafts if isinstance(draft, Draft))), now_utc())
    return desk.judge(drafts)


def lock_offers(club_id: int) -> Club:
    """Let those who publish or change offers of a club wait for each other, before they take any other lock.

    Two of them who met on the same offers in another order would be a deadlock. Buyers take no part in it.
    """
    return Club.objects.select_for_update(no_key=True).get(pk=club_id)


def _store(slots: list[Slot]) -> None:
    """Insert them. An area that becomes exclusive at this very moment means "try again"."""
    busy = refusing(DatabaseUnavailable, "slot_exclusive_is_its_areas")
    with busy, refusing(SlotDuplicate, "slot_offered_once", "slot_reference_once"):
        Slot.objects.bulk_create(slots, batch_size=BATCH)


class _Desk:
    """Judges the drafts of one call, under the lock: each by what is stored and by the drafts before it."""

    def __init__(self, known: Known, now: datetime) -> None:
        self.known, self.now = known, now
        self.by_reference: dict[int, Slot] = {}
        self.offered: dict[Key, int] = {}
        self.rows: dict[int | Key, int] = {}  # of this call: which row has asked for this reference or key

    def judge(self, drafts: Sequence[Draft | DomainError]) -> list[Slot | Outcome]:
        """Return the slots that are to be stored; in place of the others what became of them."""
        asked = [self._read(draft) for draft in drafts]
        self._look([one[1] for one in asked if isinstance(one, tuple)])
        return [self._one(index, one) for index, one in enumerate(asked)]

    def _read(self, draft: Draft | DomainError) -> tuple[Draft, Slot] | DomainError:
        try:
            return draft if isinstance(draft, DomainError) else (draft, slot_of(draft, self.known))
        except DomainError as refusal:
            return refusal

    def _look(self, slots: list[Slot]) -> None:
        """Read what is there of them: two queries, whatever their number."""
        references = [slot.reference_id for slot in slots if slot.reference_id is not None]
        if references:
            stored = Slot.objects.filter(club=self.known.club, reference_id__in=references)
            self.by_reference = {slot.reference_id: slot for slot in stored if slot.reference_id is not None}
        self.offered = offered_as(key_of(slot) for slot in slots)

    def _one(self, index: int, asked: tuple[Draft, Slot] | DomainError) -> Slot | Outcome:
        try:
            return self._new(index, *asked) if isinstance(asked, tuple) else Outcome("refused", refusal=asked)
        except DomainError as refusal:
            return Outcome("refused", refusal=refusal)

    def _new(self, index: int, draft: Draft, slot: Slot) -> Slot | Outcome:
        """Return the slot if it is to be stored, or the one that this reference_id has made before."""
        stored = self.by_reference.get(slot.reference_id) if slot.reference_id is not None else None
        if stored is not None:
            other = differences(stored, slot, draft)
            if other:
                raise SlotDuplicate(conflicts_with=stored.pk, errors=_taken("reference_id", *other))
            return Outcome("unchanged", stored.pk)
        if slot.date_from <= self.now:
            raise SlotInPast
        key = key_of(slot)
        if key in self.offered:
            raise SlotDuplicate(conflicts_with=self.offered[key])
        self._must_be_new(index, "reference_id", slot.reference_id)
        self._must_be_new(index, "date_from", key)
        return slot

    def _must_be_new(self, index: int, name: str, what: int | Key | None) -> None:
        if what is not None and self.rows.setdefault(what, index) != index:
            words = _("Row %(index)s of this request says the same") % {"index": self.rows[what]}
            raise SlotDuplicate(errors={name: [words]})


def _taken(*names: str) -> dict[str, list[str]]:
    return {name: [_("Offered with another content")] for name in names}
