"""A real cluster, and what its machines may do to it: brokers, clocks, disks and memory fail while events flow.

`make cluster` plays all of it; `python -m tests.cluster --fault leader --seed 7 --repeat 3` plays what you want.
"""
