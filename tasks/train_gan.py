"""Train a generator: one class-conditional GAN per candidate, on training images alone."""

from pathlib import Path

import numpy as np
import pandas as pd

from tasks.dataset.images import read_images
from tasks.dataset.manifest import class_names, label_indices, read_manifest, rows_of
from tasks.support.commands import command_for_each
from tasks.support.files import replacing
from tasks.support.params import Images, TrainGan
from tasks.support.plots import draw_curves, draw_grid
from tasks.support.progress import bar, log
from tasks.support.tracking import child_run

GRID_COLUMNS = 10
PANELS = {
    "losses": ["g_loss", "d_loss"],
    "discriminator accuracy": ["real_accuracy", "fake_accuracy"],
    "KID against train": ["kid"],
    "diversity within classes": ["diversity_mean", "diversity_least"],
}
