"""The classifiers' networks, with initial weights that depend on one seed and, if pretrained, on one file."""

import keras

from tasks.classifier.pretrained import Base
from tasks.core.params import Network, Plain, Pretrained, Small
from tasks.networks.classifiers import assign_initial, build_small, convolution, initialiser, with_logits
from tasks.networks.weights import Weights, get_weights

_PLAIN_FILTERS, _PLAIN_DENSE = (32, 64, 64, 128), 512


def build_classifier(network: Network, size_px: int, channels: int, classes: int, seed: int) -> keras.Model:
    """Model from images float32 (n, size_px, size_px, channels) in [-1, 1] to logits float32 (n, classes).

    A step depends on its batch and its weights alone: no network has dropout or gathers batch statistics.

    Raises:
        BadInput: the file with a pretrained network's weights is missing or not the one expected.
    """
    if isinstance(network, Small):
        return build_small(network.width, size_px, channels, classes, seed)
    images = keras.Input((size_px, size_px, channels), name="images")
    x = _plain(images, seed) if isinstance(network, Plain) else _pretrained(images, network, seed)
    return with_logits(images, x, classes, seed)


def loaded_weights(model: keras.Model, network: Network) -> Weights:
    """What training changes of the weights that `build_classifier` read from a file: a fine-tuned base's."""
    if isinstance(network, Pretrained) and network.weights != "none":
        return get_weights(model.get_layer("base"), trainable=True)
    return {}


def reset(model: keras.Model, seed: int, loaded: Weights) -> None:
    """Give a model of `build_classifier` exactly the weights that a fresh build with this seed has.

    Functions compiled for the model stay valid, so that all seeds share one trace.

    Args:
        loaded: the model's `loaded_weights`.
    """
    assign_initial(model.trainable_weights, seed, loaded)


def _plain(images: keras.KerasTensor, seed: int) -> keras.KerasTensor:
    """Four 3x3 convolutions, each followed by max pooling, and a dense layer."""
    x = images
    for number, filters in enumerate(_PLAIN_FILTERS, start=1):
        x = convolution(x, filters, f"conv_{number}", seed)
        x = keras.layers.MaxPooling2D(name=f"pool_{number}")(x)
    return _dense(keras.layers.Flatten(name="flat")(x), _PLAIN_DENSE, seed)


def _pretrained(images: keras.KerasTensor, network: Pretrained, seed: int) -> keras.KerasTensor:
    x = Base(network, images.shape[1], seed)(images)
    return _dense(keras.layers.Flatten(name="flat")(x), network.dense, seed)


def _dense(x: keras.KerasTensor, units: int, seed: int) -> keras.KerasTensor:
    return keras.layers.Dense(units, activation="relu", kernel_initializer=initialiser(seed, "dense"), name="dense")(x)
