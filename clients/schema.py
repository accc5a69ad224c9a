"""What the call of this room reads and answers, for the API's document."""

from clients import api
from palms.openapi import Operation, document, page_of

ANNA = {"id": 12, "name": "Анна Петрова", "phone_number": "+79123456789", "email": "anna@example.com"}

document(
    api.ListClients,
    get=Operation(
        "List the club's clients, or find one by phone",
        answers=page_of(api.ClubClientOut),
        shows={"meta": {"limit": 50, "next": None, "previous": None}, "data": [ANNA]},
        query=api.ClientFilters,
        is_paged=True,
        tag="Reference",
    ),
)
