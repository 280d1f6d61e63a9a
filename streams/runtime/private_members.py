"""Private members of Faust, mode and aiokafka that this project uses, replaces or stands in for.

Neither library promises them. `tests/unit/streams/runtime/test_private_members.py` has a test for each, which fails
when a new version says anything else about it, and one that finds uses that are not listed. Then read what has changed,
mend what relies on it, and write the new digest here.
"""

from typing import Final, NamedTuple


class PrivateMember(NamedTuple):
    """A name of a library's module, what it is relied on for, and a digest of what the module says about it."""

    module: str
    name: str
    use: str
    digest: str


PRIVATE_MEMBERS: Final = (
    PrivateMember(
        "aiokafka.consumer.consumer",
        "_fetch_max_wait_ms",
        "how long a broker may hold back an answer: set by FetchThread before the consumer starts",
        "91b89e3f099a02e4",
    ),
    PrivateMember(
        "aiokafka.consumer.consumer",
        "_fetcher",
        "the reader of a consumer, once it has started",
        "c0390f712bbecc9b",
    ),
    PrivateMember(
        "aiokafka.consumer.fetcher",
        "_prefetch_backoff",
        "the wait while records are unread: set by FetchThread",
        "87a2459ef75fbbc4",
    ),
    PrivateMember(
        "aiokafka.consumer.fetcher",
        "FetchResult",
        "bounded_reads replaces getall: position, has_more and check_assignment",
        "a0d7aded26e5814f",
    ),
    PrivateMember(
        "aiokafka.consumer.fetcher",
        "MemoryRecords",
        "record_batches replaces it: has_next and size_in_bytes",
        "d0bbe5e516d40c7c",
    ),
    PrivateMember(
        "aiokafka.consumer.fetcher",
        "PartitionRecords",
        "record_batches replaces it: its arguments, iteration and next_fetch_offset",
        "661e04382ad60c2a",
    ),
    PrivateMember(
        "aiokafka.consumer.fetcher",
        "_partition_records",
        "what a FetchResult has not returned yet; None behind the end",
        "863a518a80d05721",
    ),
    PrivateMember("aiokafka.consumer.fetcher", "_topic_partition", "of a FetchResult", "cce9aef2d7caa917"),
    PrivateMember(
        "aiokafka.consumer.fetcher",
        "_update_position",
        "tells the position of a FetchResult to the assignment",
        "29622bc9ed195a74",
    ),
    PrivateMember(
        "aiokafka.producer.message_accumulator",
        "BatchBuilder",
        "NativeBatch stands in for it",
        "9199fdd33e88e1bf",
    ),
    PrivateMember(
        "aiokafka.producer.message_accumulator",
        "MessageBatch",
        "what it asks of a BatchBuilder",
        "3e3c54793845d02c",
    ),
    PrivateMember(
        "aiokafka.producer.message_accumulator",
        "_pop_batch",
        "sets the producer state before the bytes are asked for, and once",
        "63b3bddf46764ba2",
    ),
    PrivateMember(
        "aiokafka.producer.sender", "create_request", "asks for the bytes of a batch", "91e5b72208f259eb"
    ),
    PrivateMember(
        "aiokafka.record.default_records",
        "_DefaultRecordBatchPy",
        "the definition of how a batch is read",
        "cfdac0c7c2faa897",
    ),
    PrivateMember(
        "aiokafka.record.default_records",
        "_DefaultRecordBatchBuilderPy",
        "the definition of how a batch is built",
        "f0c55dc128bccdb6",
    ),
    PrivateMember(
        "faust.transport.consumer",
        "_acked",
        "by partition, what is acknowledged: a key stands for something to commit",
        "d87760e919fd9983",
    ),
    PrivateMember(
        "faust.transport.consumer",
        "_add_gap",
        "notes offsets that compaction removed: replaced by nothing",
        "e5e7420fcdb91368",
    ),
    PrivateMember(
        "faust.transport.consumer",
        "_buffered_partitions",
        "partitions of inputs that Faust buffers",
        "85b87eb34f5c5a5d",
    ),
    PrivateMember(
        "faust.transport.consumer",
        "_commit_offsets",
        "commits, and notes what was committed",
        "75adfffd938b876b",
    ),
    PrivateMember(
        "faust.transport.consumer",
        "_committed_offset",
        "the offset up to which a partition is committed",
        "159f4e9be6719863",
    ),
    PrivateMember("faust.transport.consumer", "_getmany", "one read", "0eccc212d9e969a2"),
    PrivateMember(
        "faust.transport.consumer",
        "_is_changelog_tp",
        "whether a partition is of a changelog",
        "c9cadc517209b7fb",
    ),
    PrivateMember(
        "faust.transport.consumer",
        "_n_acked",
        "how many acknowledgements wait for a commit",
        "dead895b6b0a7814",
    ),
    PrivateMember(
        "faust.transport.consumer",
        "_new_consumer_thread",
        "makes the thread that reads: replaced",
        "31751efe446c28a9",
    ),
    PrivateMember(
        "faust.transport.consumer", "_new_offset", "the offset to commit: replaced", "c6def6aaf09f6703"
    ),
    PrivateMember(
        "faust.transport.consumer",
        "_read_offset",
        "what was delivered: replaced by a memory that remembers nothing",
        "06a2be34c452605e",
    ),
    PrivateMember("faust.transport.consumer", "_thread", "the thread that reads", "756b3823a5944734"),
    PrivateMember(
        "faust.transport.consumer",
        "_unacked_messages",
        "messages without an acknowledgement",
        "4c2d5afd282957e9",
    ),
    PrivateMember(
        "faust.transport.consumer",
        "_wait_next_records",
        "one read, unless the flow is stopped",
        "b439379c5b91da1a",
    ),
    PrivateMember(
        "faust.transport.drivers.aiokafka",
        "_consumer",
        "the consumer of the thread; None before it has started",
        "f63de04c78253996",
    ),
    PrivateMember(
        "faust.transport.drivers.aiokafka",
        "_create_worker_consumer",
        "makes the consumer of the thread",
        "2a9b3e217aef2249",
    ),
    PrivateMember(
        "faust.transport.drivers.aiokafka",
        "_fetch_records",
        "reads by the fetcher of the consumer",
        "0f21da8cc598cd31",
    ),
    PrivateMember(
        "faust.transport.drivers.aiokafka",
        "_new_consumer_thread",
        "makes the thread that reads: replaced",
        "49a9ffb5a1e74ca6",
    ),
    PrivateMember(
        "faust.app.base",
        "_consumer_wait_empty",
        "called when the consumer has stopped reading: replaced",
        "dac87fd14552cb13",
    ),
    PrivateMember(
        "faust.app.base", "_create_directories", "replaced by nothing: no state on disk", "ae7aff7e0c1437f1"
    ),
    PrivateMember("faust.app.base", "_new_transport", "makes the transport: replaced", "8bf6ccf753d5aa9a"),
    PrivateMember(
        "faust.streams",
        "_CStreamIterator",
        "the compiled stream; None where it is missing",
        "4cf4f8113573f757",
    ),
    PrivateMember(
        "faust.assignor.partition_assignor",
        "_assignment",
        "the last assignment of this member",
        "77df1260ebaed008",
    ),
    PrivateMember(
        "faust.assignor.partition_assignor",
        "_get_changelog_distribution",
        "replaced by nothing: the record of a group would be too large",
        "2a14032115bcb5bb",
    ),
    PrivateMember(
        "faust.assignor.partition_assignor",
        "_get_external_topic_distribution",
        "replaced by nothing, as the changelogs",
        "02debc1ec2ea1649",
    ),
    PrivateMember(
        "faust.assignor.partition_assignor",
        "_get_client_metadata",
        "reads what a member sent",
        "b76fd8adafd0c4ed",
    ),
    PrivateMember(
        "faust.assignor.partition_assignor",
        "_get_copartitioned_groups",
        "which topics go together",
        "7dce175e4091587c",
    ),
    PrivateMember(
        "faust.assignor.partition_assignor",
        "_metadata",
        "what this member sends: replaced",
        "9d05faa31b9d3b08",
    ),
    PrivateMember(
        "faust.assignor.partition_assignor", "_perform_assignment", "assigns: replaced", "ee2470cfcee4d2cc"
    ),
    PrivateMember(
        "faust.assignor.partition_assignor",
        "_protocol_assignments",
        "what is sent to the members",
        "74e700dd766adc21",
    ),
    PrivateMember(
        "faust.assignor.partition_assignor",
        "_topic_groups",
        "the groups of topics that members know",
        "b567f382520dae11",
    ),
    PrivateMember(
        "faust.assignor.partition_assignor",
        "_update_member_urls",
        "notes where members are",
        "16a6705aed7a4b17",
    ),
    PrivateMember("faust.assignor.partition_assignor", "_url", "where this member is", "b3cd2c84e8f4def8"),
    PrivateMember("mode.worker", "_on_sigusr1", "called by a signal: replaced", "9769eada965c4485"),
    PrivateMember(
        "mode.worker",
        "_schedule_shutdown",
        "called by a signal: also starts the deadline of a stop",
        "8c03170a3399aeac",
    ),
    PrivateMember("mode.worker", "_starting_fut", "the start that a shutdown cancels", "aadcaf46c84b8b31"),
)
