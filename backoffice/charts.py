"""Charts drawn on the server, as plain numbers for SVG. Each has its table beside it; colour is never the only sign."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from backoffice.selectors_reports import PHASE_NAMES, Filled, Moved

CELL_WIDTH, CELL_HEIGHT, LEFT, TOP = 36, 30, 48, 24
LEVELS = 5
BARS_WIDTH, BARS_HEIGHT, BARS_LEFT, BARS_TOP, BARS_FOOT = 900, 240, 8, 12, 12


@dataclass(frozen=True, slots=True)
class Square:
    x: int
    y: int
    level: int  # 0: nothing offered, 1 to LEVELS
    text: str

    @property
    def middle(self) -> tuple[float, float]:
        return self.x + CELL_WIDTH / 2, self.y + CELL_HEIGHT / 2 + 4


@dataclass(frozen=True, slots=True)
class HeatMap:
    width: int
    height: int
    hours: list[tuple[int, int]]  # x, hour
    days: list[tuple[int, str]]  # y, name
    squares: list[Square]


def heat_map(hours: Mapping[tuple[int, int], Filled], names: Sequence[str]) -> HeatMap | None:
    """Return weekdays by hours, from the first hour that has an offer to the last; None where nothing was offered."""
    open_hours = [hour for (_day, hour), filled in hours.items() if filled.offered]
    if not open_hours:
        return None
    columns = list(range(min(open_hours), max(open_hours) + 1))
    squares = []
    for day in range(1, 8):
        for place, hour in enumerate(columns):
            percent = hours.get((day, hour), Filled()).percent
            level = 0 if percent is None else 1 + min(LEVELS - 1, percent * LEVELS // 100)
            x, y = LEFT + place * CELL_WIDTH, TOP + (day - 1) * CELL_HEIGHT
            squares.append(Square(x, y, level, "" if percent is None else str(percent)))
    return HeatMap(
        LEFT + len(columns) * CELL_WIDTH + 2, TOP + 7 * CELL_HEIGHT + 2,
        [(LEFT + place * CELL_WIDTH + CELL_WIDTH // 2, hour) for place, hour in enumerate(columns)],
        [(TOP + day * CELL_HEIGHT + CELL_HEIGHT // 2 + 4, names[day]) for day in range(7)],
        squares,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Piece:
    phase: str
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Bars:
    width: int
    height: int
    base: float
    most: int  # minor units at the top
    foot: int  # of the days below
    pieces: list[Piece]


def money_bars(days: Mapping[date, Moved], first: date, last: date) -> Bars | None:
    """Return a bar for each local day in [first, last], its net split by phase; below the line more went back than came."""
    if not days:
        return None
    ups = [sum(part for part in moved.by_phase.values() if part > 0) for moved in days.values()]
    downs = [-sum(part for part in moved.by_phase.values() if part < 0) for moved in days.values()]
    most, least = max([*ups, 1]), max([*downs, 0])
    scale = BARS_HEIGHT / (most + least)
    base = BARS_TOP + most * scale
    step = (BARS_WIDTH - 2 * BARS_LEFT) / ((last - first).days + 1)
    pieces = []
    for day, moved in days.items():
        x, above, below = BARS_LEFT + (day - first).days * step, base, base
        for phase in PHASE_NAMES:
            part = moved.by_phase[phase]
            tall = abs(part) * scale
            if part > 0:
                above -= tall
            if part:
                pieces.append(_piece(phase, x, above if part > 0 else below, step, tall))
            if part < 0:
                below += tall
    foot = BARS_HEIGHT + 2 * BARS_TOP + BARS_FOOT
    return Bars(BARS_WIDTH, foot + 4, round(base, 1), most, foot, pieces)


def _piece(phase: str, x: float, y: float, step: float, tall: float) -> Piece:
    return Piece(phase, round(x, 2), round(y, 2), round(max(step * 0.8, 0.5), 2), round(tall, 2))
