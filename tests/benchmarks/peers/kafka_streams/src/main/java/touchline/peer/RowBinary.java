package touchline.peer;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Map;

/** Rows in ClickHouse's RowBinary format, in one growing array. */
final class RowBinary {
    private byte[] bytes = new byte[1 << 20];
    private int size;
    private int rows;

    int rows() {
        return rows;
    }

    /** A copy of all rows, which are forgotten. */
    byte[] take() {
        byte[] taken = Arrays.copyOf(bytes, size);
        size = 0;
        rows = 0;
        return taken;
    }

    void endRow() {
        rows++;
    }

    void text(String value) {
        byte[] utf8 = value.getBytes(StandardCharsets.UTF_8);
        varint(utf8.length);
        room(utf8.length);
        System.arraycopy(utf8, 0, bytes, size, utf8.length);
        size += utf8.length;
    }

    /** String, empty for null. */
    void textOrEmpty(String value) {
        text(value == null ? "" : value);
    }

    /** UInt32. */
    void uint32(long value) {
        littleEndian(value, Integer.SIZE);
    }

    /** Int64, UInt64 and DateTime64(3), which counts milliseconds. */
    void int64(long value) {
        littleEndian(value, Long.SIZE);
    }

    /** Nullable(Int64). */
    void nullableInt64(Long value) {
        room(1);
        bytes[size++] = (byte) (value == null ? 1 : 0);
        if (value != null) {
            int64(value);
        }
    }

    void float64(double value) {
        int64(Double.doubleToRawLongBits(value));
    }

    /** Map(String, UInt32). */
    void counts(Map<String, Long> values) {
        varint(values.size());
        for (Map.Entry<String, Long> entry : values.entrySet()) {
            text(entry.getKey());
            uint32(entry.getValue());
        }
    }

    /** Map(String, Int64). */
    void amounts(Map<String, Long> values) {
        varint(values.size());
        for (Map.Entry<String, Long> entry : values.entrySet()) {
            text(entry.getKey());
            int64(entry.getValue());
        }
    }

    /** A length before a string, an array or a map. */
    void varint(int value) {
        room(5);
        int rest = value;
        while (rest > 0x7F) {
            bytes[size++] = (byte) (rest & 0x7F | 0x80);
            rest >>>= 7;
        }
        bytes[size++] = (byte) rest;
    }

    private void littleEndian(long value, int bits) {
        room(bits / Byte.SIZE);
        for (int shift = 0; shift < bits; shift += Byte.SIZE) {
            bytes[size++] = (byte) (value >>> shift);
        }
    }

    private void room(int wanted) {
        if (bytes.length - size < wanted) {
            bytes = Arrays.copyOf(bytes, Math.max(bytes.length * 2, size + wanted));
        }
    }
}
