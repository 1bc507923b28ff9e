"""The classifiers' networks, with initial weights that depend on one seed and, if pretrained, on one file."""

import keras

from tasks.classifier.initial import assign_initial, initialiser
from tasks.classifier.pretrained import Base
from tasks.dataset.resolution import halvings
from tasks.support.params import Network, Plain, Pretrained, Small
from tasks.support.weights import Weights, get_weights

_PLAIN_FILTERS, _PLAIN_DENSE = (32, 64, 64, 128), 512


def build_classifier(network: Network, size_px: int, channels: int, classes: int, seed: int) -> keras.Model:
    """Model from images float32 (n, size_px, size_px, channels) in [-1, 1] to logits float32 (n, classes).

    A step depends on its batch and its weights alone: no network has dropout or gathers batch statistics.

    Raises:
        BadInput: the file with a pretrained network's weights is missing or not the one expected.
    """
    images = keras.Input((size_px, size_px, channels), name="images")
    if isinstance(network, Small):
        x = _small(images, network.width, seed)
    elif isinstance(network, Plain):
        x = _plain(images, seed)
    else:
        x = _pretrained(images, network, seed)
    logits = keras.layers.Dense(classes, kernel_initializer=initialiser(seed, "logits"), name="logits")(x)
    return keras.Model(images, logits, name="classifier")


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


def _small(images: keras.KerasTensor, width: int, seed: int) -> keras.KerasTensor:
    """VGG-like (Simonyan & Zisserman 2015): blocks of two 3x3 convolutions with max pooling between them while the side
    is even and its half has at least 4 pixels. `width` counts the filters of the first block; later ones have 2, 4, 4,
    ... times as many.
    """
    x = images
    for block in range(halvings(images.shape[1]) + 1):
        if block:
            x = keras.layers.MaxPooling2D(name=f"pool_{block}")(x)
        for half in "ab":
            x = _convolution(x, width * min(2**block, 4), f"conv_{block + 1}{half}", seed)
    return keras.layers.Flatten(name="flat")(x)


def _plain(images: keras.KerasTensor, seed: int) -> keras.KerasTensor:
    """Four 3x3 convolutions, each followed by max pooling, and a dense layer."""
    x = images
    for number, filters in enumerate(_PLAIN_FILTERS, start=1):
        x = _convolution(x, filters, f"conv_{number}", seed)
        x = keras.layers.MaxPooling2D(name=f"pool_{number}")(x)
    return _dense(keras.layers.Flatten(name="flat")(x), _PLAIN_DENSE, seed)


def _pretrained(images: keras.KerasTensor, network: Pretrained, seed: int) -> keras.KerasTensor:
    x = Base(network, images.shape[1], seed)(images)
    return _dense(keras.layers.Flatten(name="flat")(x), network.dense, seed)


def _convolution(x: keras.KerasTensor, filters: int, name: str, seed: int) -> keras.KerasTensor:
    return keras.layers.Conv2D(
        filters, 3, padding="same", activation="relu", kernel_initializer=initialiser(seed, name), name=name
    )(x)


def _dense(x: keras.KerasTensor, units: int, seed: int) -> keras.KerasTensor:
    return keras.layers.Dense(units, activation="relu", kernel_initializer=initialiser(seed, "dense"), name="dense")(x)
