"""One person's journey on one screen: what somebody who talks to them needs to know.

`lookup` queries ClickHouse, `context` derives conclusions from the facts, `hints` ranks what the person may want,
`lanes` draws the timeline, `screen` prints everything and `document` returns it as JSON. Only `lookup` is impure.
"""
