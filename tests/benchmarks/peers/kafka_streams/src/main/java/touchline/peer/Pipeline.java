package touchline.peer;

import java.util.Properties;
import java.util.Set;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorSupplier;
import org.apache.kafka.streams.state.KeyValueBytesStoreSupplier;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.StoreBuilder;
import org.apache.kafka.streams.state.Stores;

/** peer-touchpoints → stitch → PREFIX-resolved → journeys → PREFIX-states, with a row for each on its way. */
final class Pipeline {
    private final Settings settings;
    private final Catalogue catalogue;
    private final Sink sink;
    private final Serde<String> text = Serdes.String();
    private final Serde<byte[]> bytes = Serdes.ByteArray();
    private final Serde<Contact> contacts = SingleObject.serde(SingleObject.touchpoint(), Contact.getClassSchema());
    private final Serde<JourneyCore> journeys =
        SingleObject.serde(JourneyCore.getClassSchema(), JourneyCore.getClassSchema());

    Pipeline(Settings settings, Catalogue catalogue, Sink sink) {
        this.settings = settings;
        this.catalogue = catalogue;
        this.sink = sink;
    }

    Topology topology() {
        StreamsBuilder builder = new StreamsBuilder();
        stitch(builder.stream(Settings.TOUCHPOINTS, Consumed.with(bytes, bytes)));
        journeys(builder.stream(settings.topic("resolved"), Consumed.with(text, contacts)));
        Properties properties = new Properties();
        properties.put(StreamsConfig.TOPOLOGY_OPTIMIZATION_CONFIG, StreamsConfig.OPTIMIZE);
        return builder.build(properties);
    }

    private void stitch(KStream<byte[], byte[]> touchpoints) {
        // the touchpoint goes on as the bytes it came in: only its key is new
        touchpoints.process(new Stitching()).to(settings.topic("resolved"), Produced.with(text, bytes));
    }

    private void journeys(KStream<String, Contact> resolved) {
        resolved
            .peek(sink::touchpoint)
            .groupByKey(Grouped.with(text, contacts))
            .aggregate(
                JourneyCore::new,
                (profile, contact, journey) -> Journeys.advance(journey, contact, catalogue),
                Materialized.<String, JourneyCore>as(store("journeys"))
                    .withKeySerde(text)
                    .withValueSerde(journeys))
            .toStream()
            .peek(sink::journey)
            .to(settings.topic("states"), Produced.with(text, journeys));
    }

    /** In memory unless asked otherwise: the faster one, and as safe, since both are restored from their changelog. */
    private KeyValueBytesStoreSupplier store(String name) {
        return settings.rocksDb() ? Stores.persistentKeyValueStore(name) : Stores.inMemoryKeyValueStore(name);
    }

    private final class Stitching implements ProcessorSupplier<byte[], byte[], String, byte[]> {
        @Override
        public Processor<byte[], byte[], String, byte[]> get() {
            return new Stitch(sink);
        }

        @Override
        public Set<StoreBuilder<?>> stores() {
            StoreBuilder<KeyValueStore<String, String>> customers =
                Stores.keyValueStoreBuilder(store(Stitch.CUSTOMERS), text, text);
            return Set.of(customers);
        }
    }
}
