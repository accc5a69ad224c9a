"""Redis gone, workers gone, both, PostgreSQL killed: how sales go on, how fast the backlog drains, whether anything is lost.

    python -m benchmarks.outages [--minutes 10] [--around 60] [--customers 2] [--only redis workers both postgres]

Starts the whole platform on ports of its own (127.0.0.1, data in a temporary folder) and lets a crowd book, pay, look and cancel
over HTTP. Ends with 1 where a figure is not held: no 5xx, sales at least 0.8 of before, drained within 60 s, nothing acknowledged
lost, audit and books clean; after PostgreSQL's death a page and a checkout within 5 s of its taking connections.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable

from tests.outages.customers import Crowd
from tests.outages.platform import Platform
from tests.outages.proof import Death, Outage, settled, without, without_postgres

LEAST_RATIO, DRAINED, RECOVERED = 0.8, 60.0, 5.0
LIMIT = 180.0  # seconds that a backlog is watched for
KINDS = ("redis", "workers", "both", "postgres")
Act = Callable[[], None]


def pair(palms: Platform, name: str) -> tuple[Act, Act]:
    """Return what kills and what starts again."""

    def kill_both() -> None:
        palms.kill_redis()
        palms.kill_workers()

    def start_both() -> None:
        palms.start_redis()
        palms.start_workers()

    return {
        "redis": (palms.kill_redis, palms.start_redis),
        "workers": (palms.kill_workers, palms.start_workers),
        "both": (kill_both, start_both),
    }[name]


def tell_outage(outage: Outage) -> list[str]:
    """Print an outage; return what is not held."""
    ratio = outage.during / outage.before if outage.before else 0.0
    say(f"  sales a minute: {outage.before:.0f} before, {outage.during:.0f} during, {outage.after:.0f} after")
    say(f"  ratio during/before: {ratio:.2f} (at least {LEAST_RATIO})")
    say(f"  slowest answer: {outage.slowest[0]:.2f} s before, {outage.slowest[1]:.2f} s during")
    drained = f"{outage.drained:.1f} s" if outage.drained is not None else f"more than {LIMIT:.0f} s"
    say(f"  waiting at the end: {outage.waiting} calls, drained after {drained} (at most {DRAINED:.0f} s)")
    wrong = [] if ratio >= LEAST_RATIO else ["sales do not go on"]
    if outage.drained is None or outage.drained > DRAINED:
        wrong.append(f"the backlog does not drain within {DRAINED:.0f} s")
    return wrong


def tell_death(death: Death) -> list[str]:
    say(f"  down for {death.down:.1f} s; lost of what was acknowledged: {len(death.lost)}")
    wrong = list(death.lost)
    for what, seconds in (("page", death.page), ("checkout", death.checkout)):
        say(
            f"  first {what}: {'never' if seconds is None else f'{seconds:.2f} s'} after it was up (at most {RECOVERED:.0f} s)"
        )
        if seconds is None or seconds > RECOVERED:
            wrong.append(f"no {what} within {RECOVERED:.0f} s")
    return wrong


def play(name: str, given: argparse.Namespace) -> list[str]:
    """Play one outage on a platform of its own; return what is not held."""
    say(f"{name} gone for {given.minutes:g} minutes:" if name != "postgres" else "PostgreSQL killed three times:")
    days = max(3, round((given.minutes + 4) * given.customers))
    with Platform(days=min(days, 90)) as palms:
        with Crowd(palms.site, palms.slots, customers=given.customers) as crowd:
            if name == "postgres":
                wrong = [
                    word
                    for _ in range(3)
                    for word in tell_death(without_postgres(palms, crowd, around=given.around / 3, seconds=5, limit=60))
                ]
            else:
                length = 60 * given.minutes
                wrong = tell_outage(
                    without(palms, crowd, name, *pair(palms, name), seconds=length, around=given.around, limit=LIMIT)
                )
        found = settled(palms, crowd)
        counts = crowd.ledger.statuses(0, float("inf"))
        say(f"  answers: {dict(sorted(counts.items()))}; sold: {crowd.ledger.sales(0, float('inf'))}")
        say(f"  lost, stuck or wrong, audit, books: {len(found)} findings")
    return wrong + found


def main() -> None:
    parser = argparse.ArgumentParser("benchmarks.outages", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--around", type=float, default=60.0, help="seconds before and after an outage")
    parser.add_argument("--customers", type=int, default=2)
    parser.add_argument("--only", nargs="+", choices=KINDS, default=KINDS)
    given = parser.parse_args()
    wrong = {name: found for name in given.only if (found := play(name, given))}
    for name, words in wrong.items():
        say(f"NOT HELD, {name}:" + "".join(f"\n  {word}" for word in words[:20]))
    sys.exit(1 if wrong else 0)


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
