"""Mutations of bytes and texts: what is nearly right finds more than noise."""

from random import Random

#: What readers trip over: ends of ranges, separators of keys, Unicode twins, control characters, half of a pair.
HOSTILE = (
    b"",
    b"\x00",
    b"\xff\xfe",
    b"\xef\xbb\xbf",
    b"\xed\xa0\x80",
    b"/",
    b"//",
    b"../..",
    b":",
    b"\x1f",
    b"'; DROP TABLE x --",
    b'"',
    b"\\",
    b"\r\n",
    b"\n\n",
    b"{{7*7}}",
    b"%s%n",
    b"-1",
    b"0",
    b"1e999",
    b"NaN",
    b"-Infinity",
    b"9223372036854775808",
    b"-9223372036854775809",
    b"1" * 400,
    b"0x10",
    b"true",
    b"null",
    b"[]",
    b"{}",
    b"[" * 300,
    b"{" * 300,
    b'{"a":' * 200,
    "\u0410dmin".encode(),
    "e\u0301".encode(),
    "\u202eabc".encode(),
    "\ufb03".encode(),
    "\U0001f9d1\u200d\U0001f4bb".encode(),
    "\u2028".encode(),
    b"1979-05-27T07:32:00Z",
    b"0001-01-01",
    b"9999-12-31T23:59:59.999999Z",
    b"(?:a+)+$",
    b"*",
    b"=",
    b"#",
)
MOST_BYTES = 1 << 20


def mutated(data: bytes, others: tuple[bytes, ...], random: Random) -> bytes:
    """`data` with one to four changes; `others` are right inputs of the same edge, of which parts may come in."""
    for _ in range(random.randint(1, 4)):
        at = random.randint(0, len(data))
        to = min(len(data), at + random.choice((0, 1, 1, 2, 4, 16, 64, len(data))))
        match random.randrange(7):
            case 0:  # a bit
                if data:
                    at = min(at, len(data) - 1)
                    data = data[:at] + bytes([data[at] ^ 1 << random.randrange(8)]) + data[at + 1 :]
            case 1:  # something hostile, in place of what is there
                data = data[:at] + random.choice(HOSTILE) + data[to:]
            case 2:
                data = data[:at] + data[to:]
            case 3:  # twice or more
                data = data[:at] + data[at:to] * random.choice((2, 3, 50)) + data[to:]
            case 4:  # a part of another one
                other = random.choice(others)
                start = random.randint(0, len(other))
                data = data[:at] + other[start : start + random.choice((1, 8, 64, len(other)))] + data[to:]
            case 5:  # a value: what stands between two separators
                data = _with_other_value(data, at, random)
            case _:
                data = data[:at] + random.randbytes(random.choice((1, 2, 8))) + data[to:]
        data = data[:MOST_BYTES]
    return data


def _with_other_value(data: bytes, at: int, random: Random) -> bytes:
    start = max(data.rfind(mark, 0, at) for mark in (b"=", b":", b",", b"[", b'"'))
    ends = [end for mark in (b"\n", b",", b"]", b"}", b'"') if (end := data.find(mark, at)) >= 0]
    if start < 0 or not ends:
        return data
    value = random.choice(HOSTILE)
    if random.random() < 0.3:
        value = b'"' + value + b'"'
    return data[: start + 1] + value + data[min(ends) :]
