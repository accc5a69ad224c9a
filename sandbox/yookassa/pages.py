"""The hosted payment page a payer sees."""

import re

from markupsafe import Markup
from werkzeug.utils import redirect
from werkzeug.wrappers import Request, Response

from sandbox.web import BadInput, html_response, page, read_form
from sandbox.yookassa import operations
from sandbox.yookassa.cards import CARDS, DECLINES, SUCCESS, Card, find_card, grouped
from sandbox.yookassa.money import spoken
from sandbox.yookassa.records import Payment, find_payment
from sandbox.yookassa.works import Works

ENDINGS = {
    "waiting_for_capture": ("Платёж уже оплачен", "Деньги удержаны на карте. Второй раз ничего не спишется."),
    "succeeded": ("Платёж уже оплачен", "Деньги списаны. Второй раз ничего не спишется."),
    "canceled": (
        "Платёж отменён",
        "По этой ссылке заплатить уже нельзя, деньги не списаны. Вернитесь в магазин и начните заново.",
    ),
}
LATE = (
    "Время на оплату вышло",
    "Ссылка действовала один час. Деньги не списаны. Вернитесь в магазин и начните заново.",
)
BAND = Markup(
    "<p class='band'>Тестовая касса: настоящих денег здесь нет. <span lang='en'>Sandbox, no real money.</span></p>"
)


def respond(works: Works, request: Request) -> Response:
    payment_id = request.path.removeprefix("/pay/")
    if request.method not in ("GET", "HEAD", "POST"):
        return html_response(_message("Так нельзя", "Эта страница открывается и отправляется формой.", None), 405)
    try:
        given = read_form(request) if request.method == "POST" else {}
    except BadInput:
        return html_response(_message("Не получилось", "Слишком большая форма.", None), 400)
    with works.open() as work:
        payment = find_payment(work, payment_id)
        if payment is None:
            return html_response(_message("Платёж не найден", "Проверьте ссылку или вернитесь в магазин.", None), 404)
        if payment.status != "pending":
            return html_response(_ending(payment), 409 if request.method == "POST" else 200)
        left = max(1, round((payment.expires_at - work.now) / 60_000))
        if request.method != "POST":
            return html_response(_form(payment, left))
        typed = str(given.get("card_number", ""))
        card, error = _card(typed, str(given.get("expiry", "")))
        if card is None:
            return html_response(_form(payment, left, error, typed[:40]), 422)
        payment = operations.pay(work, payment, card, _expiry(str(given.get("expiry", ""))) or ("12", "2030"), "page")
    return redirect(payment.return_url, 302) if payment.return_url else html_response(_ending(payment))


def _card(typed: str, expiry: str) -> tuple[Card | None, str]:
    if not typed.strip():
        return None, "Введите номер карты."
    if expiry and _expiry(expiry) is None:
        return None, "Срок действия пишется как ММ/ГГ, например 12/30."
    card = find_card(typed)
    if card is None:
        return None, "Этой карты касса не знает. Возьмите одну из тестовых карт ниже."
    return card, ""


def _expiry(typed: str) -> tuple[str, str] | None:
    found = re.fullmatch(r"(0[1-9]|1[0-2])\s*/?\s*(?:20)?([0-9]{2})", typed)
    return (found[1], f"20{found[2]}") if found else None


def _message(title: str, text: str, payment: Payment | None) -> Markup:
    back = _back(payment, "Вернуться в магазин") if payment else Markup("")
    body = Markup("{}<section class='card'><h1>{}</h1><p>{}</p>{}</section>").format(BAND, title, text, back)
    return page(title, body, narrow=True)


def _ending(payment: Payment) -> Markup:
    title, text = LATE if payment.reason == "expired_on_confirmation" else ENDINGS[payment.status]
    return _message(title, text, payment)


def _back(payment: Payment, words: str) -> Markup:
    return (
        Markup("<a class='button' href='{}'>{}</a>").format(payment.return_url, words)
        if payment.return_url
        else Markup("")
    )


def _form(payment: Payment, left: int, error: str | None = None, typed: str = "") -> Markup:
    problem = Markup("<p class='error' role='alert' id='problem'>{}</p>").format(error) if error else Markup("")
    body = Markup(
        "{band}<section class='card'><p class='soft'>Магазин {shop}</p><h1>{about}</h1><p class='sum'>{amount}</p>"
        "<p class='soft'>{stages} Осталось {left}&nbsp;мин.</p>{problem}"
        "<form method='post'><label for='card'>Номер карты</label><input id='card' name='card_number' value='{typed}' required"
        " inputmode='numeric' autocomplete='cc-number' placeholder='0000 0000 0000 0000' maxlength='40'{described}>"
        "<div class='pair'><div><label for='expiry'>Срок, ММ/ГГ</label><input id='expiry' name='expiry' inputmode='numeric'"
        " autocomplete='cc-exp' placeholder='12/30' maxlength='7'></div><div><label for='cvc'>CVC</label><input id='cvc' name='cvc'"
        " inputmode='numeric' autocomplete='cc-csc' placeholder='123' maxlength='4'></div></div>"
        "<button class='main'>Заплатить {amount}</button></form></section>"
        "<section class='card'><h2>Тестовые карты</h2><p class='soft'>Нажатие сразу отправляет карту. Срок и CVC любые.</p>"
        "<form method='post' class='cards'>{success}</form><details><summary>Карты с отказом</summary>"
        "<form method='post' class='cards'>{declines}</form></details></section><p>{back}</p>"
    ).format(
        band=BAND,
        shop=payment.shop,
        about=payment.description or "Оплата заказа",
        amount=spoken(payment.amount),
        stages="Деньги спишутся сразу." if payment.capture else "Деньги будут удержаны, магазин спишет их позже.",
        left=left,
        problem=problem,
        typed=typed,
        described=Markup(" aria-describedby='problem' aria-invalid='true' autofocus") if error else "",
        success=Markup("").join(_button(CARDS[number]) for number in SUCCESS),
        declines=Markup("").join(_button(card) for card in DECLINES),
        back=_back(payment, "Отменить и вернуться в магазин"),
    )
    return page(f"Оплата {spoken(payment.amount)}", body, narrow=True)


def _button(card: Card) -> Markup:
    note = card.reason or ("3-D Secure" if card.three_d_secure else "без 3-D Secure")
    return Markup(
        "<button name='card_number' value='{}'><span class='num'>{}</span><small>{}, {}</small></button>"
    ).format(card.number, grouped(card.number), card.system, note)
