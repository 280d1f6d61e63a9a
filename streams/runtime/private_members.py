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
        "6b5c9acc97e76744",
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
        "3bb0e2a45c3ed8a1",
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
        "99da4aca7bd94c47",
    ),
    PrivateMember(
        "aiokafka.producer.message_accumulator",
        "BatchBuilder",
        "NativeBatch stands in for it",
        "0ec908aa08246ef6",
    ),
    PrivateMember(
        "aiokafka.producer.message_accumulator",
        "MessageBatch",
        "what it asks of a BatchBuilder",
        "9a3f5b9734a2032d",
    ),
    PrivateMember(
        "aiokafka.producer.message_accumulator",
        "_pop_batch",
        "sets the producer state before the bytes are asked for, and once",
        "e216afa6124e0735",
    ),
    PrivateMember(
        "aiokafka.producer.sender", "create_request", "asks for the bytes of a batch", "c3f03284787b71db"
    ),
    PrivateMember(
        "aiokafka.record.default_records",
        "_DefaultRecordBatchPy",
        "the definition of how a batch is read",
        "7316d8c18b1f9ac2",
    ),
    PrivateMember(
        "aiokafka.record.default_records",
        "_DefaultRecordBatchBuilderPy",
        "the definition of how a batch is built",
        "4e7b8c55dac72583",
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
        "d878dca9102e75e7",
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
        "91b6c6ae7cc022b3",
    ),
    PrivateMember(
        "faust.transport.consumer",
        "_committed_offset",
        "the offset up to which a partition is committed",
        "159f4e9be6719863",
    ),
    PrivateMember("faust.transport.consumer", "_getmany", "one read", "cae4908a2574d0b8"),
    PrivateMember(
        "faust.transport.consumer",
        "_is_changelog_tp",
        "whether a partition is of a changelog",
        "c492000b55eb2082",
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
        "65c45c27cb4e5e19",
    ),
    PrivateMember(
        "faust.transport.consumer", "_new_offset", "the offset to commit: replaced", "02356aa414503f03"
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
        "b39b5a4a89dd8a2d",
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
        "4d078d08da682cf1",
    ),
    PrivateMember(
        "faust.transport.drivers.aiokafka",
        "_fetch_records",
        "reads by the fetcher of the consumer",
        "d1dadcf065397eba",
    ),
    PrivateMember(
        "faust.transport.drivers.aiokafka",
        "_new_consumer_thread",
        "makes the thread that reads: replaced",
        "7d675742d18c8bff",
    ),
    PrivateMember(
        "faust.app.base",
        "_consumer_wait_empty",
        "called when the consumer has stopped reading: replaced",
        "a3e2d4f6f3129d6f",
    ),
    PrivateMember(
        "faust.app.base", "_create_directories", "replaced by nothing: no state on disk", "ef96d12df86b84ca"
    ),
    PrivateMember("faust.app.base", "_new_transport", "makes the transport: replaced", "4bf1dca262be3a89"),
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
        "6a70130e86b89a7b",
    ),
    PrivateMember(
        "faust.assignor.partition_assignor",
        "_get_external_topic_distribution",
        "replaced by nothing, as the changelogs",
        "04f7af5bb2458f1e",
    ),
    PrivateMember(
        "faust.assignor.partition_assignor",
        "_get_client_metadata",
        "reads what a member sent",
        "9b06627d8839f12c",
    ),
    PrivateMember(
        "faust.assignor.partition_assignor",
        "_get_copartitioned_groups",
        "which topics go together",
        "a668462b49c64594",
    ),
    PrivateMember(
        "faust.assignor.partition_assignor",
        "_metadata",
        "what this member sends: replaced",
        "3feb9d8399a3bad0",
    ),
    PrivateMember(
        "faust.assignor.partition_assignor", "_perform_assignment", "assigns: replaced", "5a457e1830fe4501"
    ),
    PrivateMember(
        "faust.assignor.partition_assignor",
        "_protocol_assignments",
        "what is sent to the members",
        "eab1155484a0a1a6",
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
        "21eb8a21a2a148f9",
    ),
    PrivateMember("faust.assignor.partition_assignor", "_url", "where this member is", "cc35610bb7352fe8"),
    PrivateMember("mode.worker", "_on_sigusr1", "called by a signal: replaced", "d2f48abd8d90eafe"),
    PrivateMember(
        "mode.worker",
        "_schedule_shutdown",
        "called by a signal: also starts the deadline of a stop",
        "8e8abebe3e5a1ed1",
    ),
    PrivateMember("mode.worker", "_starting_fut", "the start that a shutdown cancels", "aadcaf46c84b8b31"),
)
