"""snowplow-tracker with the host changed; the app id is the write key. Arguments: story, or many COUNT."""

import os
import sys
import time

from snowplow_tracker import Emitter, SelfDescribing, SelfDescribingJson, Subject, Tracker
from snowplow_tracker.events import PageView, StructuredEvent

NAME = "snowplow-python"
# the POST emitter of this release retries what failed; a GET loses it
emitter = Emitter(os.environ["COLLECTOR"], batch_size=20, max_retry_delay_seconds=1)


def tracker(method_emitter: Emitter, user: str | None) -> Tracker:
    subject = Subject().set_platform("web").set_domain_user_id(f"anon-{NAME}")
    if user is not None:
        subject.set_user_id(user)
    return Tracker(namespace="n", emitters=method_emitter, app_id=os.environ["WRITE_KEY"], subject=subject)


known = tracker(emitter, f"user-{NAME}")
if sys.argv[1] == "story":
    visitor = tracker(Emitter(os.environ["COLLECTOR"], method="get"), None)
    visitor.track(StructuredEvent(category="shop", action="Product Viewed", label="A1"))
    known.track(StructuredEvent(category="shop", action="Signed In"))
    order = {"order_id": "o-1", "revenue": 19.99, "currency": "EUR"}
    known.track(SelfDescribing(SelfDescribingJson("iglu:com.acme/order_completed/jsonschema/1-0-0", order)))
    known.track(PageView(page_url="https://shop.example/?utm_campaign=spring&token=secret"))
else:
    for number in range(int(sys.argv[2])):
        known.track(StructuredEvent(category="ride", action=f"Ride {number}"))
        time.sleep(0.01)


def unsent() -> int:
    """Events that are not sent yet. The lock is held while a batch is on its way, which is in no store meanwhile."""
    with emitter.lock:
        return int(emitter.event_store.size())


deadline = time.monotonic() + 90
while unsent() and time.monotonic() < deadline:
    known.flush()
    time.sleep(0.2)
sys.exit(unsent())
