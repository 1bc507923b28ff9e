"""How often networks halve the side of an image."""

_LEAST_SIDE_PX = 4


def halvings(size_px: int) -> int:
    """How often a side can be halved while even and to at least 4 pixels: 8 once, 24 twice, 128 5 times.

    Args:
        size_px: a multiple of 8.
    """
    count = 0
    while size_px % 2 == 0 and size_px // 2 >= _LEAST_SIDE_PX:
        size_px //= 2
        count += 1
    return count
