package touchline.peer;

import java.time.Duration;
import java.util.concurrent.CountDownLatch;
import org.apache.kafka.streams.KafkaStreams;

/** The Kafka Streams peer: stitch, journeys and inserts into ClickHouse in one process with one stream thread. */
public final class Main {
    private static final Duration CLOSE = Duration.ofSeconds(10);

    private Main() {}

    /** Runs until SIGTERM, which commits what is under way (exit code 143), or until the stream thread fails (1). */
    public static void main(String[] arguments) throws Exception {
        Settings settings = Settings.fromEnvironment();
        Sink sink = Sink.open(settings);
        Pipeline pipeline = new Pipeline(settings, Catalogue.read(settings.catalogue()), sink);
        KafkaStreams streams = new KafkaStreams(
            pipeline.topology(), settings.streams(), new InsertBeforeCommit(sink));
        CountDownLatch failed = new CountDownLatch(1);
        streams.setStateListener((now, before) -> {
            if (now == KafkaStreams.State.ERROR) {
                failed.countDown();
            }
        });
        Runtime.getRuntime().addShutdownHook(new Thread(() -> streams.close(CLOSE)));
        streams.start();
        failed.await();
        System.exit(1);
    }
}
