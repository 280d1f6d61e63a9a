"""segment-analytics-python with the host changed. Arguments: story, or many COUNT."""

import os
import sys
import time

import segment.analytics as analytics

NAME = "segment-python"
analytics.write_key = os.environ["WRITE_KEY"]
analytics.host = os.environ["COLLECTOR"]
analytics.gzip = True
analytics.max_retries = 30
analytics.on_error = lambda error, items: sys.exit(f"{len(items)} lost: {error}")
anonymous, user = f"anon-{NAME}", f"user-{NAME}"

if sys.argv[1] == "story":
    analytics.track(anonymous_id=anonymous, event="Product Viewed", properties={"sku": "A1"})
    analytics.identify(user, {"email": f"{NAME}@example.com"}, anonymous_id=anonymous)
    order = {"order_id": "o-1", "revenue": 19.99, "currency": "EUR"}
    analytics.track(user, "Order Completed", order, context={"campaign": {"name": "spring"}})
    analytics.group(user, "acme", {"name": "Acme"})
    analytics.page(user, "Shop", "Home", {"url": "https://shop.example/?token=secret"})
else:
    for number in range(int(sys.argv[2])):
        analytics.track(user, f"Ride {number}", {"number": number})
        time.sleep(0.01)
analytics.flush()
analytics.shutdown()
