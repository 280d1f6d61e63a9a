package touchline.peer;

import org.apache.kafka.common.serialization.Deserializer;
import org.apache.kafka.streams.processor.PunctuationType;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueStore;

/** Keys a touchpoint by its profile: its customer, or the cookie's customer, or the cookie. */
final class Stitch implements Processor<byte[], byte[], String, byte[]> {
    static final String CUSTOMERS = "customers"; // cookie → customer

    private final Sink sink;
    private final Deserializer<Identified> identified =
        SingleObject.<Identified>serde(SingleObject.touchpoint(), Identified.getClassSchema()).deserializer();
    private ProcessorContext<String, byte[]> context;
    private KeyValueStore<String, String> customers;

    Stitch(Sink sink) {
        this.sink = sink;
    }

    @Override
    public void init(ProcessorContext<String, byte[]> given) {
        context = given;
        customers = given.getStateStore(CUSTOMERS);
        // the sink is the stream thread's; any task's clock may wake it
        given.schedule(Sink.PATIENCE, PunctuationType.WALL_CLOCK_TIME, now -> sink.insertOld());
    }

    @Override
    public void process(Record<byte[], byte[]> touchpoint) {
        String cookie = null;
        String customer = null;
        for (Name name : identified.deserialize(Settings.TOUCHPOINTS, touchpoint.value()).getIdentifiers()) {
            switch (name.getType()) {
                case "cookie" -> cookie = name.getValue();
                case "customer_id" -> customer = name.getValue();
                default -> { }
            }
        }
        context.forward(touchpoint.withKey(profile(cookie, customer)));
    }

    private String profile(String cookie, String customer) {
        if (cookie == null) {
            return customer;
        }
        String known = customers.get(cookie);
        if (customer == null) {
            return known == null ? cookie : known;
        }
        if (!customer.equals(known)) {
            customers.put(cookie, customer);
        }
        return customer;
    }
}
