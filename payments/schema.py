"""What providers send, for the API's document."""

from drf_spectacular.utils import OpenApiParameter

from palms.openapi import Operation, document
from payments import api

PROVIDER = OpenApiParameter("provider", str, OpenApiParameter.PATH, enum=list(api.RECEIVERS))

document(
    api.ReceiveNotification,
    post=Operation(
        "Receive a bank's notification",
        "A body is only a hint: it is stored, the bank is asked, and what the bank says is applied. Repeats and payments of "
        "strangers are answered like any other. 503 asks the bank to send it again.",
        reads={"type": "object", "description": "As the provider documents it; at most 64 KiB."},
        asks={
            "type": "notification",
            "event": "payment.succeeded",
            "object": {"id": "22d6d597-000f-5000-9000-145f6df21d6f", "status": "succeeded"},
        },
        tag="Providers",
    ),
)
