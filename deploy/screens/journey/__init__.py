"""One person's journey on one screen: what somebody who talks to them needs to know.

`lookup` asks ClickHouse, `context` draws conclusions, `hints` says what they may want, `lanes` draws the timeline,
`screen` prints it all and `document` is the same for programs. Everything but `lookup` is pure.
"""
