"""YooKassa's part of the landing page: payments, faults, notifications."""

from markupsafe import Markup

from sandbox.clock import iso
from sandbox.web import Json
from sandbox.yookassa.faults import CALL, NOTIFY, OPERATIONS, OUTCOMES, list_faults
from sandbox.yookassa.money import spoken
from sandbox.yookassa.records import Payment
from sandbox.yookassa.shops import Shop, all_shops
from sandbox.yookassa.state import money_of
from sandbox.yookassa.work import Work, dump

SHOWN = 100
STATES = {
    "pending": "ждёт оплаты", "waiting_for_capture": "деньги удержаны", "succeeded": "оплачен", "canceled": "отменён",
    "queued": "в очереди", "delivered": "доставлено", "given_up": "брошено", "missing": "потеряно", "no_address": "некуда слать",
}  # fmt: skip

MOVEMENTS = {"held": "удержано", "captured": "списано", "voided": "отпущено", "refunded": "возвращено"}


def panel(work: Work) -> Markup:
    rows = work.db.execute("SELECT * FROM payments ORDER BY seq DESC LIMIT ?", (SHOWN,)).fetchall()
    return Markup(
        "<section class='card'><h2>ЮKassa: платежи</h2><p class='soft'>YooKassa API: <code>/v3</code>, shops: {shops}. "
        "<a href='/_control/state'>Всё в JSON</a></p>{payments}</section>"
        "<section class='card'><h2>ЮKassa: сбои</h2><p class='soft'>Faults the API answers with.</p>{faults}{add}</section>"
        "<section class='card'><h2>ЮKassa: уведомления</h2><p class='soft'>Last notifications to the shops.</p>{told}</section>"
    ).format(
        shops=Markup("; ").join(_shop(shop) for shop in all_shops(work)),
        payments=_payments([Payment(**row) for row in rows], work),
        faults=_faults(list_faults(work)),
        add=_add_fault(),
        told=_notifications(work),
    )


def _shop(shop: Shop) -> Markup:
    return Markup("<code>{}</code> → <code>{}</code>").format(shop.id, shop.notify_url or "адрес не задан")


def _table(heads: tuple[str, ...], rows: list[tuple[object, ...]], empty: str) -> Markup:
    if not rows:
        return Markup("<p>{}</p>").format(empty)
    lines = Markup("").join(
        Markup("<tr>{}</tr>").format(
            Markup("").join(
                Markup("<td data-t='{}'><span>{}</span></td>").format(head, cell)
                for head, cell in zip(heads, row, strict=True)
            )
        )
        for row in rows
    )
    head = Markup("").join(Markup("<th>{}</th>").format(name) for name in heads)
    return Markup(
        "<div class='scroll'><table class='stack'><thead><tr>{}</tr></thead><tbody>{}</tbody></table></div>"
    ).format(head, lines)


def _payments(payments: list[Payment], work: Work) -> Markup:
    heads = ("Создан, UTC", "Платёж", "Состояние", "Сумма", "Деньги", "Действия")
    rows: list[tuple[object, ...]] = [_payment(payment, work) for payment in payments]
    return _table(heads, rows, "Платежей пока нет.")


def _payment(payment: Payment, work: Work) -> tuple[object, ...]:
    money = money_of(work, payment)
    link = Markup("<a href='/pay/{}'>{}</a><br><small>…{}, магазин {}</small>").format(
        payment.id, payment.description or "Без описания", payment.id[-12:], payment.shop
    )
    state = Markup("<span class='badge {}'>{}</span> <small>{}</small>").format(
        payment.status, STATES[payment.status], payment.reason or ""
    )
    moved = Markup("<br>").join(
        Markup("{}\u00a0<span class='num'>{}</span>").format(word, spoken(money[name]))
        for name, word in MOVEMENTS.items()
        if money[name]
    )
    amount = Markup("<span class='num'>{}</span>").format(spoken(payment.amount))
    return iso(payment.created_at)[:16].replace("T", " "), link, state, amount, moved or "—", _actions(payment, money)


def _actions(payment: Payment, money: dict[str, int]) -> Markup:
    if payment.status == "pending":
        return _action("pay", "Оплатить", payment.id)
    if payment.status == "waiting_for_capture":
        return Markup("{} {}").format(
            _action("capture", "Списать", payment.id), _action("cancel", "Отпустить", payment.id)
        )
    if money["refundable"]:
        field = Markup("<input name='amount' size='9' aria-label='Сумма возврата' value='{}.{:02d}'>").format(
            money["refundable"] // 100, money["refundable"] % 100
        )
        return _action("refund", "Вернуть", payment.id, field)
    return Markup("")


def _action(path: str, words: str, payment_id: str, field: Markup | str = "") -> Markup:
    return Markup(
        "<form class='row' method='post' action='/_control/{}'>"
        "<input type='hidden' name='payment_id' value='{}'>{}<button>{}</button></form>"
    ).format(path, payment_id, field, words)


def _faults(faults: list[Json]) -> Markup:
    rows: list[tuple[object, ...]] = []
    for fault in faults:
        left = "всегда" if fault["times"] is None else fault["times"]
        options = {
            name: value for name, value in fault.items() if name not in ("id", "on", "kind", "times", "hits", "skip")
        }
        remove = Markup(
            "<form method='post' action='/_control/faults/clear'><button name='id' value='{}'>Убрать</button></form>"
        ).format(fault["id"])
        rows.append((fault["on"], fault["kind"], left, fault["hits"], dump(options) if options else "", remove))
    return _table(("Где", "Что", "Осталось раз", "Сработал", "Настройки", ""), rows, "Сбоев нет: банк отвечает честно.")


def _add_fault() -> Markup:
    def choices(values: tuple[str, ...]) -> Markup:
        return Markup("").join(Markup("<option>{}</option>").format(value) for value in values)

    kinds = (*CALL, *OUTCOMES, *(kind for kind in NOTIFY if kind not in CALL))
    return Markup(
        "<form class='row' method='post' action='/_control/faults' style='margin-top:16px'>"
        "<div><label for='on'>Где</label><select id='on' name='on'>{}</select></div>"
        "<div><label for='kind'>Что</label><select id='kind' name='kind'>{}</select></div>"
        "<div><label for='times'>Сколько раз</label><select id='times' name='times'><option>1<option>2<option>3<option>10"
        "<option value='always'>всегда</select></div>"
        "<div><label for='seconds'>Секунд</label><input id='seconds' name='seconds' size='6' inputmode='numeric'></div>"
        "<button>Добавить сбой</button></form>"
    ).format(choices(OPERATIONS), choices(kinds))


def _notifications(work: Work) -> Markup:
    found = work.db.execute("SELECT * FROM notifications ORDER BY id DESC LIMIT 30").fetchall()
    rows: list[tuple[object, ...]] = [
        (
            iso(row["created_at"])[11:19],
            row["event"],
            f"…{row['object_id'][-12:]}",
            STATES[row["state"]],
            row["attempts"],
        )
        for row in found
    ]
    return _table(("Время, UTC", "Событие", "Объект", "Состояние", "Попыток"), rows, "Уведомлений пока нет.")
