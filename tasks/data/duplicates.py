"""Groups of images that look alike, found without comparing all pairs."""

from collections.abc import Iterator
from itertools import combinations, pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

_BITS = 64
_PAIRS_AT_ONCE = 1 << 22  # bounds memory


def group_near(hashes: NDArray[np.uint64], distance_bits: int) -> NDArray[np.int32]:
    """Group number int32 (n,) of each hash: hashes that differ in at most `distance_bits` bits share one, transitively.

    Of two hashes that near, cut into distance + k blocks of bits, at least k blocks are equal (pigeonhole; Norouzi et
    al. 2012, "Fast Search in Hamming Space with Multi-Index Hashing", with k > 1 for longer keys). So for each choice
    of k blocks only hashes equal in them are compared. Time grows with n for hashes that are spread out, and with the
    square of the largest set that shares k blocks where they are not; memory stays bounded.
    """
    distinct, place = np.unique(hashes, return_inverse=True)
    groups = np.arange(len(distinct), dtype=np.int32)
    for pairs in _near_pairs(distinct, distance_bits):
        first, second = groups[pairs]
        graph = coo_matrix((np.ones(len(first), bool), (first, second)), shape=(len(distinct), len(distinct)))
        groups = connected_components(graph, directed=False)[1][groups]
    return groups[place]


def _near_pairs(distinct: NDArray[np.uint64], distance_bits: int) -> Iterator[NDArray[np.int64]]:
    """Pairs (2, m) of places in `distinct` of hashes that are near; some come more than once."""
    if distance_bits == 0:
        return
    shared = 2 if distance_bits < 8 else 3  # the fewest comparisons for a million hashes
    edges = np.linspace(0, _BITS, distance_bits + shared + 1).astype(int)
    blocks = [sum(1 << bit for bit in range(low, high)) for low, high in pairwise(edges)]
    for chosen in combinations(blocks, shared):
        keys = distinct & np.uint64(sum(chosen))
        order = np.argsort(keys)
        _, starts, counts = np.unique(keys[order], return_index=True, return_counts=True)
        near_pairs = []
        for first, second in _pairs_in_runs(starts[counts > 1], counts[counts > 1]):
            one, other = order[first], order[second]
            near = np.bitwise_count(distinct[one] ^ distinct[other]) <= distance_bits
            near_pairs.append(np.stack([one[near], other[near]]))
            if sum(part.shape[1] for part in near_pairs) > _PAIRS_AT_ONCE:
                yield np.concatenate(near_pairs, axis=1)
                near_pairs = []
        if near_pairs:
            yield np.concatenate(near_pairs, axis=1)


def _pairs_in_runs(
    starts: NDArray[np.int64], counts: NDArray[np.int64]
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """All pairs of places within each run, as two arrays, at most about `_PAIRS_AT_ONCE` at a time."""
    places = np.repeat(starts + counts, counts)  # for each place of a run, the end of the run
    firsts = np.arange(len(places)) - np.repeat(np.cumsum(counts) - counts - starts, counts)
    partners = places - firsts - 1  # later places of the same run
    done = np.concatenate([[0], np.cumsum(partners)])
    begin = 0
    while begin < len(firsts):
        end = max(begin + 1, int(np.searchsorted(done, done[begin] + _PAIRS_AT_ONCE, side="right")) - 1)
        number = partners[begin:end]
        first = np.repeat(firsts[begin:end], number)
        offset = np.arange(len(first)) - np.repeat(np.cumsum(number) - number, number)
        yield first, first + 1 + offset
        begin = end
