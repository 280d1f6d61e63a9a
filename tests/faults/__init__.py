"""The fault suite: a real deployment on Apache Kafka and ClickHouse, broken on purpose while events flow.

`make faults` runs all of it; `python -m tests.faults --fault 4 --seed 7 --repeat 3` runs what you want.
"""
