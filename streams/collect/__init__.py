"""The collector: HTTP in, touchpoints on Kafka out, and an answer only when the broker has them.

Read downward: `server` (a request's way), `inflate` (bytes, within limits), a protocol (`plain`, `segment`: what its
clients send becomes items), `messages` and `messages.toml` (which field of a message is what of a touchpoint),
`outgoing` (a touchpoint's Kafka record), `intake` (the bounded way to the broker). `keys` says who may send.
"""
