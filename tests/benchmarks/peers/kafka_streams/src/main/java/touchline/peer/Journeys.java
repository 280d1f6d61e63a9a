package touchline.peer;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;

/** What a touchpoint does to its profile's journey. */
final class Journeys {
    private static final int RECENT = 20;
    private static final long SESSION_GAP_MS = 30 * 60_000L;
    private static final double FRICTION_HALVES_MS = 24 * 3_600_000.0;

    private Journeys() {}

    /** The journey after the contact: `journey` itself, changed. One without touchpoints is new. */
    static JourneyCore advance(JourneyCore journey, Contact contact, Catalogue catalogue) {
        long at = contact.getOccurredAt();
        Catalogue.Type type = catalogue.type(contact.getType());
        if (journey.getTouchpoints() == 0) {
            begin(journey, at);
        }
        long pause = at - journey.getLastSeen();
        if (journey.getTouchpoints() == 0 || pause > SESSION_GAP_MS) {
            journey.setSessions(journey.getSessions() + 1);
        }
        journey.setTouchpoints(journey.getTouchpoints() + 1);
        journey.setLastSeen(at);
        journey.getChannels().merge(contact.getChannel(), 1L, Long::sum);
        journey.setLastChannel(contact.getChannel());
        double friction = journey.getFriction();
        if (friction != 0) {
            friction *= Math.pow(0.5, pause / FRICTION_HALVES_MS);
        }
        journey.setFriction(friction + type.friction());
        if (type.stage() != null) {
            journey.setStage(type.stage());
        }
        if (type.order()) {
            order(journey, contact);
        }
        remember(journey.getRecent(), contact);
        return journey;
    }

    private static void begin(JourneyCore journey, long at) {
        journey.setFirstSeen(at);
        journey.setLastSeen(at);
        journey.setChannels(new HashMap<>());
        journey.setRevenue(new HashMap<>());
        journey.setRecent(new ArrayList<>());
    }

    private static void order(JourneyCore journey, Contact contact) {
        journey.setOrders(journey.getOrders() + 1);
        if (contact.getAmountMinor() != null && contact.getCurrency() != null) {
            journey.getRevenue().merge(contact.getCurrency(), contact.getAmountMinor(), Long::sum);
        }
    }

    private static void remember(List<Recent> recent, Contact contact) {
        if (recent.size() == RECENT) {
            recent.remove(0);
        }
        recent.add(new Recent(
            contact.getEventId(), contact.getOccurredAt(), contact.getChannel(), contact.getType()));
    }
}
