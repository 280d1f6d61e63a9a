"""A local table of present states on disk, from the compacted topics: highest version wins, tombstones delete.

`store` needs SQLite and the codec only; `follower` adds a Kafka client.
"""
