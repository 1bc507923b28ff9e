import numpy as np
import pytest
from numpy.typing import NDArray

from tasks.data.duplicates import group_near


def _flipped(hashes: NDArray[np.uint64], bits: int, rng: np.random.Generator) -> NDArray[np.uint64]:
    """Each hash with that many different bits changed."""
    masks = [sum(1 << int(bit) for bit in rng.choice(64, bits, replace=False)) for _ in hashes]
    return hashes ^ np.array(masks, np.uint64)


def _by_all_pairs(hashes: NDArray[np.uint64], bits: int) -> list[int]:
    """For each hash the first one of its group, found by comparing every pair until nothing changes."""
    near = np.bitwise_count(hashes[:, None] ^ hashes[None]) <= bits
    first = np.arange(len(hashes))
    while True:
        least = np.where(near, first[None], len(hashes)).min(axis=1)
        if (least == first).all():
            return [int(place) for place in first]
        first = least


def _first_of_group(groups: NDArray[np.int32]) -> list[int]:
    seen: dict[int, int] = {}
    return [seen.setdefault(int(group), place) for place, group in enumerate(groups)]


@pytest.mark.parametrize("bits", range(9))
def test_groups_are_those_of_all_pairs(bits: int) -> None:
    rng = np.random.default_rng(bits)
    spread = rng.integers(0, 2**64, 60, dtype=np.uint64)
    crowded = rng.integers(0, 2**12, 60).astype(np.uint64)  # equal in most blocks
    hashes = np.concatenate([spread, *(_flipped(spread, n, rng) for n in (bits, bits + 1)), crowded, spread[:5]])
    hashes = rng.permutation(hashes)
    assert _first_of_group(group_near(hashes, bits)) == _by_all_pairs(hashes, bits)


@pytest.mark.parametrize("bits", [4, 8])
def test_no_pair_within_the_distance_is_missed_among_many(bits: int) -> None:
    rng = np.random.default_rng(0)
    first = rng.integers(0, 2**64, 3_000, dtype=np.uint64)
    groups = group_near(np.concatenate([first, _flipped(first, bits, rng)]), bits)
    assert (groups[:3_000] == groups[3_000:]).all()
    assert len(np.unique(groups)) == 3_000


def test_a_chain_is_one_group_and_nothing_is_none() -> None:
    chain = np.array([0, 0b11, 0b1111, 0b111111], np.uint64)
    assert len(np.unique(group_near(chain, 2))) == 1
    assert len(np.unique(group_near(chain, 1))) == 4
    assert group_near(np.array([], np.uint64), 4).tolist() == []


def test_a_crowd_larger_than_one_batch_of_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tasks.data.duplicates._PAIRS_AT_ONCE", 100)
    hashes = np.arange(300, dtype=np.uint64)
    assert _first_of_group(group_near(hashes, 1)) == _by_all_pairs(hashes, 1)
