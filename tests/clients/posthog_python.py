"""posthog with the host changed. Arguments: story, or many COUNT."""

import os
import sys
import time

from posthog import Posthog

NAME = "posthog-python"
client = Posthog(
    os.environ["WRITE_KEY"],
    host=os.environ["COLLECTOR"],
    gzip=True,
    max_retries=30,
    on_error=lambda error, items: print(f"{len(items)} lost: {error}", file=sys.stderr),
)
anonymous, user = f"anon-{NAME}", f"user-{NAME}"

if sys.argv[1] == "story":
    visitor = {"sku": "A1", "$process_person_profile": False}
    client.capture("Product Viewed", distinct_id=anonymous, properties=visitor)
    who = {"$anon_distinct_id": anonymous, "$set": {"email": f"{NAME}@example.com"}}
    client.capture("$identify", distinct_id=user, properties=who)
    order = {"order_id": "o-1", "revenue": 19.99, "currency": "EUR", "utm_campaign": "spring"}
    client.capture("Order Completed", distinct_id=user, properties=order, groups={"company": "acme"})
    page = {"$current_url": "https://shop.example/?token=secret", "$pathname": "/"}
    client.capture("$pageview", distinct_id=user, properties=page)
    client.alias(anonymous, user)
else:
    for number in range(int(sys.argv[2])):
        client.capture(f"Ride {number}", distinct_id=user, properties={"number": number})
        time.sleep(0.01)
client.shutdown()
