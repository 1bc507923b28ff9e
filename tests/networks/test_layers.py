import json
from typing import Any

import keras
import pytest

from tasks.networks.checkpoints import spec_of
from tasks.networks.layers import layers_of

L = keras.layers
CONDITIONAL = {"kind": "conditional", "size_px": 128, "channels": 3, "latent": 64, "width": 64, "depth": 2}
DCGAN = {"kind": "dcgan", "size_px": 16, "channels": 3, "latent": 100, "width": 128, "batch_norm": True}


def test_a_row_says_what_a_layer_is_and_what_it_takes() -> None:
    images = keras.Input((8, 8, 3), name="images")
    x = L.Conv2D(4, 3, strides=2, padding="same", name="conv")(images)
    y = L.LeakyReLU(0.2, name="leaky")(x)
    x = L.Flatten(name="flat")(L.Add(name="sum")([x, y]))
    x = L.Dropout(0.25, name="dropout")(x)
    model = keras.Model(images, L.Dense(1, activation="sigmoid", name="dense")(x), name="chain")
    rows = layers_of(model)
    assert json.loads(json.dumps(rows)) == rows
    kinds = ("InputLayer", "Conv2D", "LeakyReLU", "Add", "Flatten", "Dropout", "Dense")
    assert [row["type"] for row in rows] == [*kinds]
    assert [row["inputs"] for row in rows] == [
        [],
        ["images"],
        ["conv"],
        ["conv", "leaky"],
        ["sum"],
        ["flat"],
        ["dropout"],
    ]
    assert [row["shape"] for row in rows[:2]] == [[8, 8, 3], [4, 4, 4]]
    assert [row["parameters"] for row in rows] == [0, 3 * 3 * 3 * 4 + 4, 0, 0, 0, 0, 65]
    details = [{"kernel": [3, 3], "stride": 2}, {"negative_slope": pytest.approx(0.2)}, {}, {}, {"rate": 0.25}]
    assert [row["details"] for row in rows] == [{}, *details, {"activation": "sigmoid"}]


@pytest.mark.parametrize("settings", [CONDITIONAL, DCGAN])
@pytest.mark.parametrize("side", ["build_generator", "build_discriminator"])
def test_no_parameter_and_no_way_is_lost(settings: dict[str, Any], side: str) -> None:
    model = getattr(spec_of(settings), side)(3, 0.2, 0, "float32")
    rows = layers_of(model)
    assert sum(row["parameters"] for row in rows) == model.count_params()
    assert {row["name"] for row in rows if not row["inputs"]} == {tensor.name for tensor in model.inputs}
    names = [row["name"] for row in rows]
    assert len(set(names)) == len(names) == len(model.operations)
    for number, row in enumerate(rows):
        assert set(row["inputs"]) <= set(names[:number])
    assert rows[-1]["shape"] == list(model.output_shape[1:])
    if "depth" in settings and side == "build_generator":
        takers = [row["name"] for row in rows if "labels" in row["inputs"]]
        blocks = [f"g_conv_{block}{half}" for block in (1, 2, 3, 4) for half in "ab"]
        assert takers == [f"{block}_{name}" for block in blocks for name in ("gamma", "beta")]
