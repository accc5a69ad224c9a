"""One batch of each kind of long work. Each returns (outcome, where, why) per item; all inside the caller's transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any

from backoffice.models import Job
from palms.actors import Actor
from palms.errors import DomainError, ValidationFailed
from slots import bulk
from slots.offers import Draft
from slots.publishing import Outcome, publish_slots

MOMENTS = ("date_from", "date_to", "cancelation_time")
NAMES = frozenset(field.name for field in fields(Draft))
Result = tuple[str, str, str]


def packed(draft: Draft, *, where: str) -> dict[str, Any]:
    """Return a draft as JSON, without what it does not say."""
    said = {name: getattr(draft, name) for name in sorted(NAMES) if getattr(draft, name) is not None}
    moments = {name: said[name].isoformat() for name in MOMENTS if name in said}
    return said | moments | {"where": where}


def unpacked(item: Mapping[str, Any], same: Mapping[str, Any]) -> Draft:
    said = {name: value for name, value in {**same, **item}.items() if name in NAMES}
    return Draft(**said | {name: datetime.fromisoformat(said[name]) for name in MOMENTS if name in said})


def publish(job: Job, same: dict[str, Any], items: Sequence[Any], actor: Actor) -> list[Result]:
    drafts = [unpacked(item, same) for item in items]
    outcomes = publish_slots(club_id=job.club_id, drafts=drafts, actor=actor, partial=True)
    return [_result(outcome, item["where"]) for outcome, item in zip(outcomes, items, strict=True)]


def price(job: Job, same: dict[str, Any], items: Sequence[Any], actor: Actor) -> list[Result]:
    """Items are [slot, where, price]."""
    outcomes = bulk.set_prices(club_id=job.club_id, prices={item[0]: item[2] for item in items}, actor=actor)
    return [_result(outcomes[item[0]], item[1]) for item in items]


def close(job: Job, same: dict[str, Any], items: Sequence[Any], actor: Actor) -> list[Result]:
    """Items are [slot, where]."""
    return _set_closed(job, items, actor, closed=True)


def reopen(job: Job, same: dict[str, Any], items: Sequence[Any], actor: Actor) -> list[Result]:
    """Items are [slot, where]."""
    return _set_closed(job, items, actor, closed=False)


def _set_closed(job: Job, items: Sequence[Any], actor: Actor, *, closed: bool) -> list[Result]:
    ids = [item[0] for item in items]
    outcomes = bulk.set_closed(club_id=job.club_id, slot_ids=ids, closed=closed, actor=actor)
    return [_result(outcomes[item[0]], item[1]) for item in items]


def _result(outcome: Outcome, where: str) -> Result:
    return outcome.state, where, why(outcome.refusal) if outcome.refusal else ""


def why(refusal: DomainError) -> str:
    """Return a refusal in words, with those of its fields: what was wrong where, instead of "please check"."""
    told = [str(text) for texts in (refusal.facts.get("errors") or {}).values() for text in texts]
    return "; ".join(told if isinstance(refusal, ValidationFailed) and told else [str(refusal), *told])
