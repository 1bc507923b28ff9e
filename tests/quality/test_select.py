from collections.abc import Mapping

from tasks.gan.scores import Interval
from tasks.quality.select import Snapshot, choose, closest, compared_classes, rivals

COUNT = 3
NEEDED = ["4", "5"]


def _snapshot(
    epoch: int,
    kid: float = 0.05,
    cas: float | None = None,
    refused: Mapping[str, str] | None = None,
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
    assert [snapshot.place for snapshot in kept] == [
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
        _snapshot(40, 0.02, cas=0.95, refused={"5": "collapsed: 0.20 times as varied"}),
        _snapshot(8, 0.01, cas=0.9, candidate="dcgan", classes=("5",)),
    ]
    winner, reason, losers = choose(snapshots, NEEDED, COUNT)
    assert winner is snapshots[2]
    assert reason == (
        "conditional seed 0 epoch 30 has the highest CAS of the 2 snapshots that pass the guards in most of the "
        "classes that need images, 2 of 2: CAS 0.9070, KID 0.0300 [0.0200, 0.0400]."
    )
    assert [(loser, why) for loser, why in losers] == [
        (snapshots[0], "KID 0.0432 is not among the 3 lowest of its training"),
        (snapshots[1], "CAS 0.8120 below 0.9070 of conditional seed 0 epoch 30"),
        (
            snapshots[3],
            "passes the guards in 1 of the classes that need images, conditional seed 0 epoch 30 in 2: refused in "
            "class 5 collapsed: 0.20 times as varied",
        ),
        (
            snapshots[4],
            "passes the guards in 1 of the classes that need images, conditional seed 0 epoch 30 in 2: it makes no "
            "images of the others",
        ),
    ]


def test_where_all_are_refused_those_that_pass_in_most_classes_come_first_and_it_says_so():
    snapshots = [
        _snapshot(10, cas=0.9, refused={"4": "collapsed", "5": "copies training images"}),
        _snapshot(20, cas=0.5, refused={"5": "copies training images"}),
        _snapshot(30, cas=0.6, refused={"4": "collapsed"}),
    ]
    winner, reason, losers = choose(snapshots, NEEDED, COUNT)
    assert winner is snapshots[2]
    assert reason == (
        "conditional seed 0 epoch 30 has the highest CAS of the 2 snapshots that pass the guards in most of the "
        "classes that need images, 1 of 2: CAS 0.6000, KID 0.0500 [0.0400, 0.0600]. Refused in class 4 collapsed."
    )
    assert [why for _, why in losers] == [
        "passes the guards in 0 of the classes that need images, conditional seed 0 epoch 30 in 1: refused in class 4 "
        "collapsed; in class 5 copies training images",
        "CAS 0.5000 below 0.6000 of conditional seed 0 epoch 30",
    ]


def test_ties_go_to_the_lower_kid_and_then_to_the_first():
    snapshots = [_snapshot(10, 0.05, cas=0.9), _snapshot(20, 0.04, cas=0.9), _snapshot(30, 0.04, cas=0.9)]
    winner, _, losers = choose(snapshots, NEEDED, COUNT)
    assert winner is snapshots[1]
    assert [why for _, why in losers] == [
        "CAS as high as that of conditional seed 0 epoch 20, KID 0.0500 above 0.0400",
        "CAS and KID are those of conditional seed 0 epoch 20, which comes first",
    ]


def test_a_single_snapshot_wins_and_has_no_rivals():
    winner, reason, losers = choose([_snapshot(10, cas=0.0)], NEEDED, COUNT)
    assert (winner.epoch, losers) == (10, [])
    assert reason.startswith(
        "conditional seed 0 epoch 10 alone passes the guards in most of the classes that need images, 2 of 2: CAS 0"
    )


def test_refusals_count_only_where_images_are_needed_and_good_ones_are_not_given_up_for_fewer_classes():
    narrow = _snapshot(8, cas=0.4, refused={"5": "collapsed"}, candidate="dcgan", classes=("5",))
    broad = _snapshot(10, cas=0.9, refused={"3": "collapsed", "4": "collapsed"}, classes=("3", "4", "5"))
    winner, _, losers = choose([narrow, broad], ["4", "5"], COUNT)
    assert winner is broad
    assert losers[0][1].endswith("conditional seed 0 epoch 10 in 1: refused in class 5 collapsed")
    common = _snapshot(20, cas=0.8, refused={"3": "collapsed"}, classes=("3", "4", "5"))
    perfect = _snapshot(8, cas=0.99, candidate="dcgan", classes=("5",))
    assert choose([common, perfect], ["4", "5"], COUNT)[0] is common
    assert choose([common, perfect], ["5"], COUNT)[0] is perfect  # as good in what is needed: CAS decides


def test_what_no_guard_passed_does_not_change_which_classes_are_compared():
    good, garbage = _snapshot(10, refused={}, cas=0.9), _snapshot(8, classes=("5",), refused={"5": "c"}, cas=0.1)
    assert rivals([good, garbage], NEEDED) == [good]
    assert compared_classes([good], good) == ["4", "5"]
    assert compared_classes([good], garbage) == ["5"]


def test_cas_is_of_the_classes_that_all_make_where_there_are_any():
    every, some = _snapshot(1, classes=("a", "b", "c")), _snapshot(1, candidate="dcgan", classes=("c", "b"))
    assert compared_classes([every, some], every) == ["b", "c"]
    assert compared_classes([every, some], some) == ["c", "b"]
    apart = [_snapshot(1, classes=("a",)), _snapshot(1, candidate="dcgan", classes=("c",))]
    assert compared_classes(apart, apart[1]) == ["c"]
