from collections.abc import Mapping

from tasks.gan.scores import Interval
from tasks.quality.guards import Refusal
from tasks.quality.select import Snapshot, choose, closest, compared_classes, rivals

COUNT = 3
NEEDED = ["4", "5"]
COLLAPSED: Refusal = {"guard": "collapsed", "min_diversity": 0.5}
COPIES: Refusal = {"guard": "copies"}


def _snapshot(
    epoch: int,
    kid: float = 0.05,
    cas: float | None = None,
    refused: Mapping[str, Refusal] | None = None,
    candidate: str = "conditional",
    seed: int = 0,
    classes: tuple[str, ...] = ("4", "5"),
) -> Snapshot:
    if cas is not None:
        refused = refused or {}
    return Snapshot(candidate, seed, epoch, classes, Interval(kid, kid - 0.01, kid + 0.01), refused, cas)


def test_the_lowest_kid_is_counted_within_each_training():
    kids = {10: 0.4, 20: 0.2, 30: 0.1, 40: 0.3}
    many = [_snapshot(epoch, kid) for epoch, kid in kids.items()]
    other_seed = [_snapshot(10, 0.9, seed=1)]
    other_kind = [_snapshot(8, 0.5, candidate="dcgan"), _snapshot(16, 0.5, candidate="dcgan")]
    kept = closest([*many, *other_seed, *other_kind], 2)
    assert [snapshot.folder for snapshot in kept] == [
        "conditional/seed_0/00020",
        "conditional/seed_0/00030",
        "conditional/seed_1/00010",
        "dcgan/seed_0/00008",
        "dcgan/seed_0/00016",
    ]
    assert closest(other_kind, 1) == other_kind[:1]  # of equals the first


def test_the_highest_cas_wins_and_each_loser_has_its_reason():
    snapshots = [
        _snapshot(10, 0.0432),
        _snapshot(20, 0.04, cas=0.812),
        _snapshot(30, 0.03, cas=0.907),
        _snapshot(40, 0.02, cas=0.95, refused={"5": COLLAPSED}),
        _snapshot(8, 0.01, cas=0.9, candidate="dcgan", classes=("5",)),
    ]
    choice = choose(snapshots, NEEDED, COUNT)
    assert choice.winner is snapshots[2]
    assert choice.why == {"code": "highest_cas", "rivals": 2, "passed": 2, "needed": 2}
    assert choice.losers == [
        (snapshots[0], {"code": "kid_not_lowest", "snapshots": 3}),
        (snapshots[1], {"code": "lower_cas", "winner": 0.907}),
        (snapshots[3], {"code": "guards", "passed": 1, "most": 2, "refused": {"5": COLLAPSED}}),
        (snapshots[4], {"code": "guards", "passed": 1, "most": 2, "refused": {}}),
    ]


def test_where_all_are_refused_those_that_pass_in_most_classes_come_first_and_it_says_so():
    snapshots = [
        _snapshot(10, cas=0.9, refused={"4": COLLAPSED, "5": COPIES}),
        _snapshot(20, cas=0.5, refused={"5": COPIES}),
        _snapshot(30, cas=0.6, refused={"4": COLLAPSED}),
    ]
    choice = choose(snapshots, NEEDED, COUNT)
    assert choice.winner is snapshots[2]
    assert choice.why == {"code": "highest_cas", "rivals": 2, "passed": 1, "needed": 2}
    assert [why for _, why in choice.losers] == [
        {"code": "guards", "passed": 0, "most": 1, "refused": {"4": COLLAPSED, "5": COPIES}},
        {"code": "lower_cas", "winner": 0.6},
    ]


def test_ties_go_to_the_lower_kid_and_then_to_the_first():
    snapshots = [_snapshot(10, 0.05, cas=0.9), _snapshot(20, 0.04, cas=0.9), _snapshot(30, 0.04, cas=0.9)]
    choice = choose(snapshots, NEEDED, COUNT)
    assert choice.winner is snapshots[1]
    assert [why for _, why in choice.losers] == [{"code": "higher_kid", "winner": 0.04}, {"code": "equal"}]


def test_a_single_snapshot_wins_and_has_no_rivals():
    choice = choose([_snapshot(10, cas=0.0)], NEEDED, COUNT)
    assert (choice.winner.epoch, choice.losers) == (10, [])
    assert choice.why == {"code": "alone", "rivals": 1, "passed": 2, "needed": 2}


def test_refusals_count_only_where_images_are_needed_and_good_ones_are_not_given_up_for_fewer_classes():
    narrow = _snapshot(8, cas=0.4, refused={"5": COLLAPSED}, candidate="dcgan", classes=("5",))
    broad = _snapshot(10, cas=0.9, refused={"3": COLLAPSED, "4": COLLAPSED}, classes=("3", "4", "5"))
    choice = choose([narrow, broad], ["4", "5"], COUNT)
    assert choice.winner is broad
    assert choice.losers == [(narrow, {"code": "guards", "passed": 0, "most": 1, "refused": {"5": COLLAPSED}})]
    common = _snapshot(20, cas=0.8, refused={"3": COLLAPSED}, classes=("3", "4", "5"))
    perfect = _snapshot(8, cas=0.99, candidate="dcgan", classes=("5",))
    assert choose([common, perfect], ["4", "5"], COUNT).winner is common
    assert choose([common, perfect], ["5"], COUNT).winner is perfect  # as good in what is needed: CAS decides


def test_what_no_guard_passed_does_not_change_which_classes_are_compared():
    good, garbage = _snapshot(10, refused={}, cas=0.9), _snapshot(8, classes=("5",), refused={"5": COPIES}, cas=0.1)
    assert rivals([good, garbage], NEEDED) == [good]
    assert compared_classes([good], good) == ["4", "5"]
    assert compared_classes([good], garbage) == ["5"]


def test_cas_is_of_the_classes_that_all_make_where_there_are_any():
    broad, narrow = _snapshot(1, classes=("a", "b", "c")), _snapshot(1, candidate="dcgan", classes=("c", "b"))
    assert compared_classes([broad, narrow], broad) == ["b", "c"]
    assert compared_classes([broad, narrow], narrow) == ["c", "b"]
    apart = [_snapshot(1, classes=("a",)), _snapshot(1, candidate="dcgan", classes=("c",))]
    assert compared_classes(apart, apart[1]) == ["c"]
