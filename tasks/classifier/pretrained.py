"""Bases of keras.applications: what they make of images."""

from collections.abc import Callable
from typing import Any

import keras
from keras import applications

from tasks.classifier.base_weights import load_base
from tasks.core.params import Pretrained
from tasks.networks.classifiers import assign_initial

_KINDS: dict[str, tuple[Callable[..., keras.Model], Callable[[Any], Any]]] = {  # with the preprocessing of bytes
    "VGG16": (applications.VGG16, applications.vgg16.preprocess_input),
    "ResNet50V2": (applications.ResNet50V2, applications.resnet_v2.preprocess_input),
    "MobileNetV2": (applications.MobileNetV2, applications.mobilenet_v2.preprocess_input),
    "EfficientNetV2B0": (applications.EfficientNetV2B0, applications.efficientnet_v2.preprocess_input),
}


class Base(keras.layers.Layer):  # type: ignore[misc]
    """Layer from images float32 (n, size_px, size_px, 1 or 3) in [-1, 1] to a base's last maps.

    The base is always in inference mode: no dropout, and batch statistics stay, fine-tuned or not. That takes a layer
    of its own: a functional model passes `training` on to its layers whatever they were called with.

    Raises:
        BadInput: the file with the weights is missing or not the one expected.
    """

    def __init__(self, network: Pretrained, size_px: int, seed: int) -> None:
        super().__init__(name="base")
        build, self._preprocess = _KINDS[network.base]
        self.model = build(include_top=False, weights=None, input_shape=(size_px, size_px, 3))
        if network.weights == "none":
            assign_initial(self.model.trainable_weights, seed, {})
        else:
            load_base(self.model, network)
        self.trainable = network.fine_tune

    def call(self, images: Any) -> Any:
        colour = keras.ops.repeat(images, 3, axis=-1) if images.shape[-1] == 1 else images
        return self.model(self._preprocess(127.5 * (colour + 1.0)), training=False)
