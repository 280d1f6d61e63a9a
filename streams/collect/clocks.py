"""A client's clock, corrected as Segment's specification says, and so that a retry gives the same time."""


def corrected(original: int, sent_at: int, received_at: int, tolerance: float) -> int:
    """When it happened by our clock: `received_at - (sent_at - original)`, all in UTC ms.

    The difference of the clocks, `received_at - sent_at`, also holds the time on the way, which another attempt to send
    the same event changes. An event must keep its time, or it is in the tables twice. So a difference within
    `tolerance` seconds is none, and a larger one counts in whole units of it: a retry lands elsewhere only if the
    difference is within its jitter of half a unit. A tolerance of 0 is the specification to the letter.
    """
    difference = received_at - sent_at
    unit = int(tolerance * 1000)
    if unit <= 0:
        return original + difference
    if abs(difference) <= unit:
        return original
    return original + round(difference / unit) * unit
