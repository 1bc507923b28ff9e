"""Layers of both kinds of GAN: names decide their initial weights, and one policy their precision; tables of layers."""

import math
import zlib
from typing import Any

import keras

SLOPE = 0.2  # of LeakyReLU, as in DCGAN (Radford et al. 2016)


class Layers:
    """Makes layers whose initial weights depend on `seed` and on each one's name, never on what was built before."""

    def __init__(self, seed: int, policy: str) -> None:
        """Args: policy is a Keras dtype policy: float32, or mixed_bfloat16 (weights stay float32)."""
        self._seed, self._policy = seed, policy

    def dense(self, x: keras.KerasTensor, units: int, name: str, *, use_bias: bool = True) -> keras.KerasTensor:
        return keras.layers.Dense(
            units, use_bias=use_bias, kernel_initializer=self._he(name), name=name, dtype=self._policy
        )(x)

    def conv(
        self, x: keras.KerasTensor, filters: int, kernel_px: int, name: str, *, strides: int = 1, use_bias: bool = True
    ) -> keras.KerasTensor:
        return keras.layers.Conv2D(
            filters,
            kernel_px,
            strides=strides,
            padding="same",
            use_bias=use_bias,
            kernel_initializer=self._he(name),
            name=name,
            dtype=self._policy,
        )(x)

    def up_conv(self, x: keras.KerasTensor, filters: int, name: str, *, use_bias: bool) -> keras.KerasTensor:
        """A 4x4 transposed convolution with stride 2: twice the side, and no checkerboard as 2 divides 4."""
        return keras.layers.Conv2DTranspose(
            filters,
            4,
            strides=2,
            padding="same",
            use_bias=use_bias,
            kernel_initializer=self._he(name),
            name=name,
            dtype=self._policy,
        )(x)

    def double(self, x: keras.KerasTensor, name: str) -> keras.KerasTensor:
        """Each pixel four times."""
        return keras.layers.UpSampling2D(name=name, dtype=self._policy)(x)

    def square(self, x: keras.KerasTensor, side_px: int, channels: int, name: str) -> keras.KerasTensor:
        return keras.layers.Reshape((side_px, side_px, channels), name=name, dtype=self._policy)(x)

    def flat(self, x: keras.KerasTensor, name: str) -> keras.KerasTensor:
        return keras.layers.Flatten(name=name, dtype=self._policy)(x)

    def relu(self, x: keras.KerasTensor, name: str) -> keras.KerasTensor:
        return keras.layers.ReLU(name=f"{name}_relu", dtype=self._policy)(x)

    def leaky(self, x: keras.KerasTensor, name: str) -> keras.KerasTensor:
        return keras.layers.LeakyReLU(SLOPE, name=f"{name}_leaky", dtype=self._policy)(x)

    def dropout(self, x: keras.KerasTensor, rate: float, name: str) -> keras.KerasTensor:
        """x itself where `rate` is 0."""
        if not rate:
            return x
        return keras.layers.Dropout(rate, seed=self._seed_of(name), name=f"{name}_dropout", dtype=self._policy)(x)

    def norm(self, x: keras.KerasTensor, name: str) -> keras.KerasTensor:
        return keras.layers.BatchNormalization(name=f"{name}_norm", dtype=self._policy)(x)

    def conditional_norm(
        self, x: keras.KerasTensor, labels: keras.KerasTensor, classes: int, name: str
    ) -> keras.KerasTensor:
        """Batch norm whose scale 1 + gamma(label) and offset beta(label) are learnt for each class (de Vries 2017)."""
        filters = x.shape[-1]
        x = keras.layers.BatchNormalization(center=False, scale=False, name=f"{name}_norm", dtype=self._policy)(x)
        gamma, beta = (
            keras.layers.Reshape((1, 1, filters), name=f"{name}_{kind}_map", dtype=self._policy)(
                self.embedding(labels, classes, filters, 0.1, f"{name}_{kind}")
            )
            for kind in ("gamma", "beta")
        )
        scaled = keras.layers.Multiply(name=f"{name}_scaled", dtype=self._policy)([x, gamma])
        return keras.layers.Add(name=f"{name}_conditional", dtype=self._policy)([x, scaled, beta])

    def embedding(
        self, labels: keras.KerasTensor, classes: int, size: int, stddev: float, name: str
    ) -> keras.KerasTensor:
        start = keras.initializers.RandomNormal(stddev=stddev, seed=self._seed_of(name))
        return keras.layers.Embedding(classes, size, embeddings_initializer=start, name=name, dtype=self._policy)(
            labels
        )

    def projection(
        self, features: keras.KerasTensor, labels: keras.KerasTensor, ramp: keras.KerasTensor, classes: int
    ) -> keras.KerasTensor:
        """ramp · e(label)·f, (n, 1), the projection of Miyato & Koyama 2018."""
        size = features.shape[-1]
        embedded = self.embedding(labels, classes, size, 1 / math.sqrt(size), "d_projection")
        projected = keras.layers.Dot(axes=1, name="d_dot", dtype=self._policy)([features, embedded])
        column = keras.layers.Reshape((1,), name="d_ramp_column", dtype=self._policy)(ramp)
        return keras.layers.Multiply(name="d_ramp", dtype=self._policy)([projected, column])

    def _he(self, name: str) -> keras.initializers.Initializer:
        return keras.initializers.HeNormal(seed=self._seed_of(name))

    def _seed_of(self, name: str) -> int:
        return zlib.crc32(f"{self._seed}/{name}".encode()) >> 1


def layers_of(model: keras.Model) -> list[dict[str, Any]]:
    """A row for each layer of a functional model, inputs before what reads them, as JSON holds it.

    A row has name, type, shape of the output without its first axis, number of parameters, names of the layers that it
    reads (inputs), and details: the size of the kernel, the stride, a rate or slope, the activation if not linear.
    """
    rows = []
    for operation in model.operations:
        (node, *_) = operation._inbound_nodes  # networks here call each layer once
        rows.append(
            {
                "name": operation.name,
                "type": type(operation).__name__,
                "shape": list(operation.output.shape[1:]),
                "parameters": operation.count_params() if isinstance(operation, keras.Layer) else 0,
                "inputs": list(dict.fromkeys(parent.operation.name for parent in node.parent_nodes)),
                "details": _details(operation),
            }
        )
    return rows


def _details(operation: Any) -> dict[str, Any]:
    details: dict[str, Any] = {}
    if size := getattr(operation, "kernel_size", None):
        details["kernel"] = list(size)
    if (stride := max(getattr(operation, "strides", (1,)))) > 1:
        details["stride"] = stride
    details |= {name: value for name in ("rate", "negative_slope") if (value := getattr(operation, name, 0))}
    activation = getattr(getattr(operation, "activation", None), "__name__", "linear")
    return details if activation == "linear" else details | {"activation": activation}
