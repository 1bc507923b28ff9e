"""Both kinds of GAN behind one pair of calls: images from latents and labels, logits from images and labels."""

from typing import Any

import keras
import tensorflow as tf

from . import conditional, dcgan


def build_generator(settings: dict[str, Any], classes: int, dropout: float, seed: int, policy: str) -> keras.Model:
    """The generator of `settings`: kind, size_px, channels, latent, width; depth, or batch_norm of a dcgan."""
    shape: dict[str, Any] = {name: settings[name] for name in ("size_px", "channels", "latent", "width")}
    built: dict[str, Any] = {"dropout": dropout, "seed": seed, "policy": policy}
    if settings["kind"] == "conditional":
        return conditional.build_generator(**shape, classes=classes, depth=settings["depth"], **built)
    return dcgan.build_generator(**shape, batch_norm=settings["batch_norm"], **built)


def build_discriminator(settings: dict[str, Any], classes: int, dropout: float, seed: int, policy: str) -> keras.Model:
    """The discriminator of `settings`, as in `build_generator`."""
    shape: dict[str, Any] = {name: settings[name] for name in ("size_px", "channels", "width")}
    built: dict[str, Any] = {"dropout": dropout, "seed": seed, "policy": policy}
    if settings["kind"] == "conditional":
        return conditional.build_discriminator(**shape, classes=classes, depth=settings["depth"], **built)
    return dcgan.build_discriminator(**shape, batch_norm=settings["batch_norm"], **built)


def make(generator: keras.Model, latents: tf.Tensor, labels: tf.Tensor, training: bool) -> tf.Tensor:
    """Images float32 (n, size_px, size_px, channels); a network of one class takes no labels."""
    return generator([latents, labels] if len(generator.inputs) == 2 else latents, training=training)


def judge(discriminator: keras.Model, images: tf.Tensor, labels: tf.Tensor, ramp: tf.Tensor) -> tf.Tensor:
    """Logits float32 (n,) in training; a network of one class takes neither labels nor the ramp float32 ()."""
    if len(discriminator.inputs) == 1:
        return discriminator(images, training=True)
    return discriminator([images, labels, tf.fill([tf.shape(images)[0]], ramp)], training=True)
