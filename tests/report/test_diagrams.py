from collections.abc import Callable
from typing import Any

import keras
import pytest

from tasks.networks.kinds import build_discriminator, build_generator
from tasks.report.diagrams import Layer, layers_of

L = keras.layers
CONDITIONAL = {"kind": "conditional", "size_px": 128, "channels": 3, "latent": 64, "width": 64, "depth": 2}
DCGAN = {"kind": "dcgan", "size_px": 16, "channels": 3, "latent": 100, "width": 128, "batch_norm": True}
KINDS = pytest.mark.parametrize("settings", [CONDITIONAL, DCGAN])
SIDES = pytest.mark.parametrize("build", [build_generator, build_discriminator])


def _by_name(model: keras.Model) -> dict[str, Layer]:
    return {layer.name: layer for layer in layers_of(model)}


def test_a_chain_is_one_column_with_trivial_layers_in_the_box_before() -> None:
    images = keras.Input((8, 8, 3), name="images")
    x = L.Conv2D(4, 3, strides=2, padding="same", name="conv")(images)
    x = L.LeakyReLU(0.2, name="leaky")(L.BatchNormalization(name="norm")(x))
    x = L.Dropout(0.25, name="dropout")(L.Flatten(name="flat")(x))
    model = keras.Model(images, L.Dense(1, activation="sigmoid", name="dense")(x), name="chain")
    assert layers_of(model) == [
        Layer("images", "Input", "8x8x3", 0, (), 0, 0, 0),
        Layer(
            "conv",
            "Conv2D 3x3 stride 2 · BatchNormalization · LeakyReLU 0.2 · Flatten · Dropout 0.25",
            "64",
            3 * 3 * 3 * 4 + 4 + 4 * 4,
            ("images",),
            1,
            0,
            0,
        ),
        Layer("dense", "Dense sigmoid", "1", 65, ("conv",), 2, 0, 0),
    ]


def test_a_residual_block_keeps_its_skip() -> None:
    images = keras.Input((8, 8, 4), name="images")
    x = L.Conv2D(4, 3, padding="same", name="stem")(images)
    y = L.Conv2D(4, 3, padding="same", name="first")(L.ReLU(name="relu")(x))
    y = L.Conv2D(4, 3, padding="same", name="second")(y)
    boxes = _by_name(keras.Model(images, L.Add(name="sum")([x, y])))
    # The ReLU has a box of its own: the skip needs what the stem gives without it.
    assert list(boxes) == ["images", "stem", "relu", "first", "second"]
    assert boxes["second"].kind == "Conv2D 3x3 · Add"
    assert boxes["second"].inputs == ("first", "stem")
    assert [box.lane for box in boxes.values()] == [0, 1, 0, 0, 0]
    assert {box.column for box in boxes.values()} == {0}


def test_a_layer_that_another_branch_passes_by_keeps_its_box() -> None:
    images = keras.Input((8, 8, 4), name="images")
    x = L.Conv2D(4, 3, padding="same", name="stem")(images)
    branch = L.Conv2D(4, 3, padding="same", name="branch")(x)
    boxes = _by_name(keras.Model(images, L.Add(name="sum")([branch, L.ReLU(name="relu")(x)])))
    assert [boxes[name].kind for name in ("stem", "relu", "sum")] == ["Conv2D 3x3", "ReLU", "Add"]


def test_boxes_beside_each_other_share_a_column_only_where_their_arrows_do_not_meet() -> None:
    images = keras.Input((8, 8, 4), name="images")
    make = {name: L.Conv2D(4, 3, padding="same", name=name) for name in ("a", "b", "c", "beside_b", "beside_sum")}
    a = make["a"](images)
    b = make["b"](a)
    middle = L.Add(name="sum")([b, make["beside_b"](a)])
    end = L.Add(name="end")([make["c"](middle), make["beside_sum"](b)])
    places = {name: (box.row, box.column) for name, box in _by_name(keras.Model(images, end)).items() if box.column}
    assert places == {"beside_b": (2, 1), "beside_sum": (3, 2)}  # the first one's arrow turns where the second stands


def test_two_equal_ways_meet_in_a_box_of_their_own() -> None:
    a, b = keras.Input((2,), name="a"), keras.Input((2,), name="b")
    model = keras.Model([a, b], L.Add(name="sum")([L.Dense(3, name="da")(a), L.Dense(3, name="db")(b)]))
    places = {name: (box.row, box.column, box.inputs) for name, box in _by_name(model).items()}
    assert places == {
        "a": (0, 0, ()),
        "b": (0, 1, ()),
        "da": (1, 0, ("a",)),
        "db": (1, 1, ("b",)),
        "sum": (2, 0, ("da", "db")),
    }


def test_a_conditional_generator_of_128_px_is_a_short_column_and_its_labels() -> None:
    model = build_generator(CONDITIONAL, 3, 0.2, 0, "float32")
    assert len(model.operations) > 90
    boxes = _by_name(model)
    assert len(boxes) == 14
    labels = boxes["labels"]
    conditioned = [box for box in boxes.values() if "labels" in box.inputs]
    assert [box.name for box in conditioned] == [f"g_conv_{block}{half}" for block in (1, 2, 3, 4) for half in "ab"]
    kind = "Conv2D 3x3 · BatchNormalization · Multiply · Add · ReLU"
    assert conditioned[0].kind == f"{kind}\nwith Embedding, Embedding"
    assert conditioned[1].kind == f"{kind} · Dropout 0.2 · UpSampling2D\nwith Embedding, Embedding"
    assert (labels.column, labels.row) == (1, conditioned[0].row - 1)
    assert [box.row for box in boxes.values() if box.column == 0] == list(range(13))


@KINDS
@SIDES
def test_no_parameter_and_no_way_is_lost(settings: dict[str, Any], build: Callable[..., keras.Model]) -> None:
    model = build(settings, 3, 0.2, 0, "float32")
    boxes = _by_name(model)
    assert sum(box.parameters for box in boxes.values()) == model.count_params()
    assert {box.name for box in boxes.values() if not box.inputs} == {each.name for each in model.inputs}
    for box in boxes.values():
        assert all(boxes[name].row < box.row for name in box.inputs)
    assert len({(box.row, box.column) for box in boxes.values()}) == len(boxes)
    assert [*boxes.values()][-1].shape == ("x".join(map(str, model.output_shape[1:])) or "1")


def test_long_ways_do_not_share_a_lane_or_a_column() -> None:
    images = keras.Input((8, 8, 4), name="images")
    noise = keras.Input((8, 8, 4), name="noise")
    x, kept = images, []
    for number in range(3):
        x = L.Conv2D(4, 3, padding="same", name=f"down_{number}")(x)
        kept.append(x)
    for number in range(3):
        x = L.Conv2D(4, 3, padding="same", name=f"up_{number}")(x)
        x = L.Concatenate(name=f"cat_{number}")([x, kept.pop(), noise])
    boxes = _by_name(keras.Model([images, noise], x))
    assert {name: box.lane for name, box in boxes.items() if box.lane} == {"down_0": 1, "down_1": 2}
    assert boxes["noise"].column == 1
    assert boxes["up_2"].inputs == ("up_1", "down_0", "noise")
    # It is fed by down_2 and joined by what takes both: one arrow.
    assert boxes["up_0"].inputs == ("down_2", "noise")
