"""Times since a beginning, written as a clock shows them."""


def clock(at_s: float, step_s: float = 1.0) -> str:
    """Write a time since the beginning: 0:05, 12:30, 1:02:00; tenths where steps are as small.

    As a clock does it: a second that has not passed yet is not told.
    """
    tenths = int(at_s * 10 + 1e-6)
    whole, tenth = divmod(tenths, 10)
    after = f".{tenth}" if step_s < 1 else ""
    minutes, seconds = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes}:{seconds:02d}{after}"
    return f"{minutes // 60}:{minutes % 60:02d}:{seconds:02d}"
