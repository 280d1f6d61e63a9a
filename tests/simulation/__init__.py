"""A whole Touchline in one thread and in simulated time: the real agents, state and ledger on a model of Kafka.

A schedule is a list of numbers: every choice (who goes on, who crashes, what is delivered twice) takes the next one.
So a schedule can be repeated, and cut down to a short one that still fails.
"""
