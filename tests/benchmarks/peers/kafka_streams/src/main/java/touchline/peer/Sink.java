package touchline.peer;

import java.net.http.HttpClient;
import java.time.Duration;
import java.util.List;

/** Rows for ClickHouse: a touchpoint each and a published state each. Used by the one stream thread only. */
class Sink {
    static final Duration PATIENCE = Duration.ofSeconds(1);

    /** A sink into ClickHouse, or one that does nothing with PEER_INSERT=0. */
    static Sink open(Settings settings) {
        return settings.insert() ? new Inserting(settings) : new Sink();
    }

    void touchpoint(String profile, Contact contact) {}

    void journey(String profile, JourneyCore journey) {}

    /** Sends what has waited a second. */
    void insertOld() {}

    /** Returns once ClickHouse has everything. */
    void flush() {}

    private static final class Inserting extends Sink {
        private final Table touchpoints;
        private final Table states;
        private final List<Table> tables;

        Inserting(Settings settings) {
            HttpClient client = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
            touchpoints = new Table(client, settings, "touchpoints",
                "profile, event_id, occurred_at, channel, type, amount_minor, currency");
            states = new Table(client, settings, "states",
                "profile, version, touchpoints, first_seen, last_seen, channels, sessions, last_channel, orders,"
                    + " revenue, friction, stage, recent");
            tables = List.of(touchpoints, states);
        }

        @Override
        void touchpoint(String profile, Contact contact) {
            RowBinary row = touchpoints.rows;
            row.text(profile);
            row.text(contact.getEventId());
            row.int64(contact.getOccurredAt());
            row.text(contact.getChannel());
            row.text(contact.getType());
            row.nullableInt64(contact.getAmountMinor());
            row.textOrEmpty(contact.getCurrency());
            touchpoints.endRow();
        }

        @Override
        void journey(String profile, JourneyCore journey) {
            RowBinary row = states.rows;
            row.text(profile);
            row.int64(journey.getTouchpoints()); // grows with every state: the version
            row.uint32(journey.getTouchpoints());
            row.int64(journey.getFirstSeen());
            row.int64(journey.getLastSeen());
            row.counts(journey.getChannels());
            row.uint32(journey.getSessions());
            row.text(journey.getLastChannel());
            row.uint32(journey.getOrders());
            row.amounts(journey.getRevenue());
            row.float64(journey.getFriction());
            row.textOrEmpty(journey.getStage());
            row.varint(journey.getRecent().size());
            for (Recent recent : journey.getRecent()) {
                row.text(recent.getEventId());
            }
            states.endRow();
        }

        @Override
        void insertOld() {
            tables.forEach(table -> table.sendOlderThan(PATIENCE.toNanos()));
        }

        @Override
        void flush() {
            tables.forEach(Table::flush);
        }
    }
}
