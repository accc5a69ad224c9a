"""TTLock's part of the landing page: gateways, locks, and troubles to switch on."""

import sqlite3

from markupsafe import Markup

from sandbox.clock import iso
from sandbox.ttlock.site import Work, clock_of

HOUR = 3_600_000  # ms
FAULTS = {
    "silence": "нет ответа, ничего не сделано",
    "silence_after": "сделано, но ответа нет",
    "html_502": "вместо ответа страница 502",
    "garbled": "сделано, ответ обрезан",
}


def panel(work: Work) -> Markup:
    gateways = work.db.execute("SELECT * FROM gateways ORDER BY id").fetchall()
    locks = work.db.execute(
        "SELECT l.*, g.online, (SELECT count(*) FROM memory m WHERE m.lock = l.id) AS codes"
        " FROM locks l LEFT JOIN gateways g ON g.id = l.gateway ORDER BY l.id"
    ).fetchall()
    faults = work.db.execute("SELECT * FROM faults WHERE times IS NULL OR times > 0 ORDER BY id").fetchall()
    return Markup(
        "<section class='card'><h2>TTLock: шлюзы и замки</h2><p class='soft'>API: <code>/ttlock</code>; "
        "запросов за месяц {used} из {quota}. <a href='/_control/ttlock/state'>Всё в JSON</a></p>{gateways}{locks}</section>"
        "<section class='card'><h2>TTLock: сбои</h2>{faults}</section>"
    ).format(
        used=work.setting("used"), quota=work.setting("quota"),
        gateways=_table(("Шлюз", "Связь", ""), [_gateway(row) for row in gateways]),
        locks=_table(("Замок", "Часы замка, UTC", "Кодов в памяти", ""), [_lock(work, row) for row in locks]),
        faults=_faults(faults),
    )  # fmt: skip


def _gateway(row: sqlite3.Row) -> tuple[object, ...]:
    words = ("на связи", "Выключить") if row["online"] else ("нет связи", "Включить")
    return row["name"], words[0], _button("gateway", words[1], id=row["id"], online="no" if row["online"] else "yes")


def _lock(work: Work, row: sqlite3.Row) -> tuple[object, ...]:
    name = Markup("<a href='/ttlock/doors/{}'>{}</a>{}").format(
        row["id"], row["alias"], "" if row["online"] else " (нет связи)"
    )
    clock = iso(clock_of(work, row))[:16].replace("T", " ")
    shift = _button("lock", "Часы верно", id=row["id"], skew=0) if row["skew"] else _button(
        "lock", "Часы на 3 часа назад", id=row["id"], skew=-3 * HOUR
    )  # fmt: skip
    return name, clock, row["codes"], shift


def _faults(rows: list[sqlite3.Row]) -> Markup:
    on = _table(
        ("Где", "Что", "Осталось раз"),
        [(row["operation"], FAULTS.get(row["kind"], row["kind"]), row["times"] or "всегда") for row in rows],
    )
    adds = Markup(" ").join(
        _button("faults", words, on="any", kind=kind, times=3, seconds=40) for kind, words in FAULTS.items()
    )
    clear = _button("faults/clear", "Убрать все сбои") if rows else ""
    return Markup("{}<p class='soft'>Три раза подряд:</p><div class='row'>{}{}</div>").format(
        on if rows else Markup("<p>Сбоев нет: облако отвечает честно.</p>"), adds, clear
    )


def _button(path: str, words: str, **fields: object) -> Markup:
    hidden = Markup("").join(
        Markup("<input type='hidden' name='{}' value='{}'>").format(name, value) for name, value in fields.items()
    )
    return Markup("<form class='row' method='post' action='/_control/ttlock/{}'>{}<button>{}</button></form>").format(
        path, hidden, words
    )


def _table(heads: tuple[str, ...], rows: list[tuple[object, ...]]) -> Markup:
    head = Markup("").join(Markup("<th>{}</th>").format(name) for name in heads)
    lines = Markup("").join(
        Markup("<tr>{}</tr>").format(
            Markup("").join(
                Markup("<td data-t='{}'><span>{}</span></td>").format(name, cell)
                for name, cell in zip(heads, row, strict=True)
            )
        )
        for row in rows
    )
    return Markup(
        "<div class='scroll'><table class='stack'><thead><tr>{}</tr></thead><tbody>{}</tbody></table></div>"
    ).format(head, lines)
