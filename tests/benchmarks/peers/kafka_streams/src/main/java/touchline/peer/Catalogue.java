package touchline.peer;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;

/** What each type of touchpoint means, from the JSON file that the harness writes. */
record Catalogue(Map<String, Type> types) {
    private static final Type UNKNOWN = new Type(null, 0, false);

    /** The stage that it names (or null), its friction's weight, whether it places an order. */
    record Type(String stage, double friction, boolean order) {}

    static Catalogue read(Path file) throws IOException {
        Map<String, Type> types = new HashMap<>();
        for (Map.Entry<String, JsonNode> entry : new ObjectMapper().readTree(file.toFile()).get("types").properties()) {
            JsonNode type = entry.getValue();
            types.put(entry.getKey(), new Type(
                type.get("stage").textValue(), type.get("friction").doubleValue(), type.get("order").booleanValue()));
        }
        return new Catalogue(types);
    }

    Type type(String name) {
        return types.getOrDefault(name, UNKNOWN);
    }
}
