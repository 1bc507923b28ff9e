import pytest

from tasks.networks.pixels import halvings


@pytest.mark.parametrize(
    ("size_px", "times", "rest_px"),
    [(8, 1, 4), (16, 2, 4), (24, 2, 6), (32, 3, 4), (40, 3, 5), (48, 3, 6), (56, 3, 7), (120, 3, 15), (128, 5, 4)],
)
def test_halves_down_to_the_least_even_split_of_4_pixels_or_more(size_px: int, times: int, rest_px: int) -> None:
    assert halvings(size_px) == times
    assert size_px / 2**times == rest_px
