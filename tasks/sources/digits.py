"""The embedded data set: real handwritten digits that come with scikit-learn."""

import io
from collections.abc import Iterator

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits


def digit_files() -> Iterator[tuple[str, bytes]]:
    """The 1,797 handwritten 8x8 digits of scikit-learn as PNG files under class folders."""
    digits = load_digits()
    images = np.rint(digits.images * (255 / 16)).astype(np.uint8)  # (1797, 8, 8), 17 grey levels
    for number, (image, label) in enumerate(zip(images, digits.target, strict=True)):
        content = io.BytesIO()
        Image.fromarray(image).save(content, format="PNG")
        yield f"{label}/digit-{number:04d}.png", content.getvalue()
