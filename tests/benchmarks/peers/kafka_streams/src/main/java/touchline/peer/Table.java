package touchline.peer;

import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.CompletableFuture;

/** Inserts into one table over HTTP: one batch under way while the next one is collected. */
final class Table {
    static final int BATCH_ROWS = 10_000;

    final RowBinary rows = new RowBinary();
    private final HttpClient client;
    private final URI uri;
    private CompletableFuture<HttpResponse<String>> underWay;
    private long oldestNanos;

    Table(HttpClient client, Settings settings, String name, String columns) {
        this.client = client;
        String query = "INSERT INTO " + settings.table(name) + " (" + columns + ") FORMAT RowBinary";
        uri = URI.create("http://" + settings.clickHouse() + "/?database=" + settings.database()
            + "&query=" + URLEncoder.encode(query, StandardCharsets.UTF_8));
    }

    /** Ends the row that was written into `rows`; a full batch is sent. */
    void endRow() {
        if (rows.rows() == 0) {
            oldestNanos = System.nanoTime();
        }
        rows.endRow();
        if (rows.rows() >= BATCH_ROWS) {
            send();
        }
    }

    /** Sends what has waited that long. */
    void sendOlderThan(long nanos) {
        if (rows.rows() > 0 && System.nanoTime() - oldestNanos >= nanos) {
            send();
        }
    }

    /** Returns once ClickHouse has everything. */
    void flush() {
        if (rows.rows() > 0) {
            send();
        }
        await();
    }

    private void send() {
        await();
        HttpRequest request = HttpRequest.newBuilder(uri)
            .POST(HttpRequest.BodyPublishers.ofByteArray(rows.take()))
            .build();
        underWay = client.sendAsync(request, HttpResponse.BodyHandlers.ofString());
    }

    private void await() {
        if (underWay == null) {
            return;
        }
        HttpResponse<String> answer = underWay.join();
        underWay = null;
        if (answer.statusCode() != 200) {
            throw new IllegalStateException("ClickHouse refuses a batch: " + answer.body());
        }
    }
}
