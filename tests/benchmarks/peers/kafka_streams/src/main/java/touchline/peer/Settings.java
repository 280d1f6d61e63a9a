package touchline.peer;

import java.nio.file.Path;
import java.util.Map;
import java.util.Properties;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.streams.StreamsConfig;

/** What the harness says in PEER_* variables, and Kafka Streams' settings that follow from it. */
record Settings(
        String brokers, String clickHouse, String database, String prefix, Path catalogue, Path folder,
        boolean insert, boolean rocksDb) {

    static final String TOUCHPOINTS = "peer-touchpoints";
    private static final int BATCH_BYTES = 128 * 1024;

    static Settings fromEnvironment() {
        return new Settings(
            required("PEER_BROKERS"), required("PEER_CLICKHOUSE_HTTP"), required("PEER_DATABASE"),
            required("PEER_PREFIX"), Path.of(required("PEER_CATALOGUE")), Path.of(required("PEER_FOLDER")),
            !"0".equals(System.getenv("PEER_INSERT")), "rocksdb".equals(System.getenv("PEER_STORE")));
    }

    private static String required(String name) {
        String value = System.getenv(name);
        if (value == null || value.isEmpty()) {
            System.err.println(name + " is not set: the harness sets it, see tests/benchmarks/peers");
            System.exit(2);
        }
        return value;
    }

    String topic(String name) {
        return prefix + name;
    }

    String table(String name) {
        return topic(name).replace('-', '_');
    }

    /**
     * The defaults (at least once, a commit every 30 s, 10 MB of record cache, one thread), but for what is
     * recommended for throughput: an optimised topology and larger batches.
     */
    Properties streams() {
        Properties properties = new Properties();
        properties.putAll(Map.of(
            StreamsConfig.APPLICATION_ID_CONFIG, prefix + "app",
            StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, brokers,
            StreamsConfig.STATE_DIR_CONFIG, folder.toString(),
            StreamsConfig.NUM_STREAM_THREADS_CONFIG, 1,
            StreamsConfig.TOPOLOGY_OPTIMIZATION_CONFIG, StreamsConfig.OPTIMIZE,
            StreamsConfig.producerPrefix(ProducerConfig.BATCH_SIZE_CONFIG), BATCH_BYTES,
            StreamsConfig.consumerPrefix(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG), "earliest"));
        return properties;
    }
}
