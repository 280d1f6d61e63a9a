package touchline.client;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Future;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.avro.Schema;
import org.apache.avro.generic.GenericData;
import org.apache.avro.generic.GenericDatumWriter;
import org.apache.avro.generic.GenericRecord;
import org.apache.avro.generic.GenericRecordBuilder;
import org.apache.avro.io.BinaryEncoder;
import org.apache.avro.io.EncoderFactory;
import org.apache.avro.message.BinaryMessageDecoder;
import org.apache.avro.message.BinaryMessageEncoder;
import org.apache.avro.message.MissingSchemaException;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/** kafka-clients and Avro, by docs/sdk.md and the .avsc alone; commands as in avro_python.py. */
public final class Main {
  private static final Map<String, String> ENV = System.getenv();
  private static final String SOURCE = ENV.get("SOURCE");
  private static final String TOPIC = ENV.get("TOPIC_PREFIX") + "touchpoints";

  private final Schema.Parser parser = new Schema.Parser();
  private final Schema identifier = schema("Identifier");
  private final Schema touchpoint = schema("Touchpoint");
  private final List<Future<?>> sent = new ArrayList<>();

  private interface Serialiser {
    byte[] bytes(GenericRecord record) throws IOException;
  }

  public static void main(String[] arguments) throws Exception {
    Main client = new Main();
    switch (arguments[0]) {
      case "story" -> client.publish(client.story(), arguments[1], 0);
      case "many" -> client.publish(client.many(Integer.parseInt(arguments[2])), arguments[1], 5);
      default -> client.read();
    }
  }

  private Schema schema(String name) {
    try {
      return parser.parse(Path.of(ENV.get("SCHEMAS"), "avro", name + ".avsc").toFile());
    } catch (IOException error) {
      throw new IllegalStateException(error);
    }
  }

  private GenericRecord record(String eventId, String kind, String... identifiers) {
    long now = System.currentTimeMillis();
    List<GenericRecord> found = new ArrayList<>();
    for (int at = 0; at < identifiers.length; at += 2) {
      found.add(
          new GenericRecordBuilder(identifier).set("type", identifiers[at]).set("value", identifiers[at + 1]).build());
    }
    return new GenericRecordBuilder(touchpoint)
        .set("tenant", "default").set("event_id", eventId).set("occurred_at", now).set("received_at", now)
        .set("source", SOURCE).set("channel", "web").set("type", kind).set("identifiers", found)
        .build();
  }

  private List<GenericRecord> story() {
    GenericRecord order = record("3", "order_placed", "customer_id", "user-" + SOURCE);
    order.put("order_id", "o1");
    order.put("amount_minor", 1999L);
    order.put("currency", "EUR");
    return List.of(
        record("1", "product_view", "cookie", "anon-" + SOURCE),
        record("2", "login", "customer_id", "user-" + SOURCE, "cookie", "anon-" + SOURCE),
        order);
  }

  private List<GenericRecord> many(int count) {
    List<GenericRecord> records = new ArrayList<>();
    for (int number = 0; number < count; number++) {
      records.add(record("many-" + number, "page_view", "cookie", "many-" + SOURCE));
    }
    return records;
  }

  private Serialiser serialiser(String framing) throws Exception {
    if (framing.equals("single")) {
      BinaryMessageEncoder<GenericRecord> encoder = new BinaryMessageEncoder<>(GenericData.get(), touchpoint);
      return record -> {
        ByteBuffer buffer = encoder.encode(record);
        byte[] bytes = new byte[buffer.remaining()];
        buffer.get(bytes);
        return bytes;
      };
    }
    int id = registeredId();
    GenericDatumWriter<GenericRecord> writer = new GenericDatumWriter<>(touchpoint);
    return record -> {
      ByteArrayOutputStream out = new ByteArrayOutputStream();
      out.write(ByteBuffer.allocate(5).put((byte) 0).putInt(id).array());
      BinaryEncoder encoder = EncoderFactory.get().directBinaryEncoder(out, null);
      writer.write(record, encoder);
      return out.toByteArray();
    };
  }

  private int registeredId() throws Exception {
    URI uri = URI.create(ENV.get("REGISTRY") + "/subjects/" + TOPIC + "-value/versions/latest");
    HttpResponse<String> answer =
        HttpClient.newHttpClient().send(HttpRequest.newBuilder(uri).build(), HttpResponse.BodyHandlers.ofString());
    Matcher id = Pattern.compile("\"id\"\\s*:\\s*(\\d+)").matcher(answer.body());
    if (answer.statusCode() != 200 || !id.find()) {
      throw new IllegalStateException(answer.body());
    }
    return Integer.parseInt(id.group(1));
  }

  private void publish(List<GenericRecord> records, String framing, long pause) throws Exception {
    Serialiser serialiser = serialiser(framing);
    Map<String, Object> settings =
        Map.of("bootstrap.servers", ENV.get("BROKERS"), "acks", "all", "enable.idempotence", true,
            "delivery.timeout.ms", 120_000);
    try (KafkaProducer<String, byte[]> producer =
        new KafkaProducer<>(settings, new StringSerializer(), new ByteArraySerializer())) {
      for (GenericRecord record : records) {
        GenericRecord strongest = (GenericRecord) ((List<?>) record.get("identifiers")).get(0);
        String key = record.get("tenant") + "/" + strongest.get("type") + ":" + strongest.get("value");
        sent.add(producer.send(new ProducerRecord<>(TOPIC, key, serialiser.bytes(record))));
        Thread.sleep(pause);
      }
      for (Future<?> one : sent) {
        one.get();
      }
    }
  }

  private void read() throws Exception {
    Schema schema = schema("JourneyState");
    BinaryMessageDecoder<GenericRecord> decoder = new BinaryMessageDecoder<>(GenericData.get(), schema);
    Map<String, GenericRecord> newest = new HashMap<>();
    try (KafkaConsumer<String, byte[]> consumer =
        new KafkaConsumer<>(
            Map.of("bootstrap.servers", ENV.get("BROKERS")), new StringDeserializer(), new ByteArrayDeserializer())) {
      List<TopicPartition> places = new ArrayList<>();
      String topic = ENV.get("TOPIC_PREFIX") + "journey-states";
      consumer.partitionsFor(topic).forEach(one -> places.add(new TopicPartition(topic, one.partition())));
      consumer.assign(places);
      consumer.seekToBeginning(places);
      Map<TopicPartition, Long> ends = consumer.endOffsets(places);
      while (ends.entrySet().stream().anyMatch(end -> consumer.position(end.getKey()) < end.getValue())) {
        for (ConsumerRecord<String, byte[]> record : consumer.poll(Duration.ofSeconds(1))) {
          note(newest, record, decoder);
        }
      }
    }
    for (GenericRecord state : newest.values()) {
      System.out.printf(
          "{\"profile_id\": \"%s\", \"version\": %d, \"touchpoints\": %d, \"orders\": %d, \"revenue\": %s}%n",
          state.get("profile_id"), state.get("version"), state.get("touchpoints"), state.get("orders"),
          GenericData.get().toString(state.get("revenue")));
    }
  }

  private static void note(
      Map<String, GenericRecord> newest, ConsumerRecord<String, byte[]> record,
      BinaryMessageDecoder<GenericRecord> decoder) throws IOException {
    if (record.value() == null) {
      newest.remove(record.key());
      return;
    }
    try {
      GenericRecord state = decoder.decode(record.value());
      GenericRecord known = newest.get(record.key());
      if (known == null || (long) state.get("version") >= (long) known.get("version")) {
        newest.put(record.key(), state);
      }
    } catch (MissingSchemaException unknown) {
      return; // a record that this client does not know
    }
  }
}
