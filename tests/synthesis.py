"""Parameters of a synthesis that tests share."""

from tasks.core.params import Filter, Synthesize, Training

PARAMS = Synthesize(
    seed=3,
    min_images=5,
    max_per_real=1.0,
    filter=Filter(
        folds=3,
        min_probability_quantile=0.1,
        min_distance_quantile=0.05,
        max_distance_quantile=0.95,
        min_acceptance=0.2,
        max_generated=10.0,
        classifier=Training(steps=60, batch=16, learning_rate=0.005, width=8),
    ),
)
