"""cloudevents, sent by requests as its documentation shows. Arguments: story, or many COUNT."""

import os
import sys
import time
from datetime import UTC, datetime

import requests
from cloudevents.core.bindings.http import to_binary_event, to_structured_event
from cloudevents.core.v1.event import CloudEvent

NAME = "cloudevents-python"
session = requests.Session()
session.headers["Authorization"] = f"Bearer {os.environ['WRITE_KEY']}"


def send(
    number: int, kind: str, data: dict, subject: str | None = f"user-{NAME}", *, binary: bool = False
) -> None:
    attributes = {"id": str(number), "source": "/shop", "type": kind, "time": datetime.now(UTC)}
    if subject is not None:
        attributes["subject"] = subject
    event = CloudEvent(attributes=attributes, data=data)
    message = to_binary_event(event) if binary else to_structured_event(event)
    deadline = time.monotonic() + 60
    while True:
        try:
            answer = session.post(
                f"{os.environ['COLLECTOR']}/v1/cloudevents",
                data=message.body,
                headers=message.headers,
                timeout=15,
            )
            if answer.status_code < 500:
                answer.raise_for_status()
                return
        except requests.ConnectionError:
            if time.monotonic() > deadline:
                raise
        time.sleep(0.2)


if sys.argv[1] == "story":
    anonymous = f"anon-{NAME}"
    send(1, "org.example.product_viewed", {"anonymousId": anonymous, "sku": "A1"}, None)
    who = {"anonymousId": anonymous, "traits": {"email": f"{NAME}@example.com"}}
    send(2, "org.example.signed_in", who, binary=True)
    order = {
        "order_id": "o-1",
        "revenue": 19.99,
        "currency": "EUR",
        "context": {"campaign": {"name": "spring"}},
    }
    send(3, "org.example.order_completed", order, binary=True)
else:
    for number in range(int(sys.argv[2])):
        send(number, f"org.example.ride_{number}", {"number": number}, binary=number % 2 == 0)
        time.sleep(0.01)
