"""Every Prometheus metric of every process: name, type, labels and meaning. docs/metrics.md is made from this package.

Counters are named without the `_total` that Prometheus sees. No label holds anything about a person: labels are
topics, partitions, tables, endpoints of the operator's own file and words of closed lists.
"""
