"""Runs a generator by the code that it was packaged with: `python -I packaged_driver.py FOLDER`.

The project is not on the path of this process. Each line of JSON on stdin asks for images of a class, seed, start and
count; they are written to the file that it names, and a line on stdout says that they are there.
"""

import json
import os
import sys

import pandas as pd
from numpy import save


def main(folder: str) -> None:
    """Answer requests until stdin ends."""
    with os.fdopen(os.dup(1), "w") as answers:
        os.dup2(2, 1)  # what libraries print is no answer
        from mlflow.pyfunc import load_model

        model = load_model(folder)
        print("ready", file=answers, flush=True)
        for line in sys.stdin:
            asked = json.loads(line)
            indices = range(asked["start"], asked["start"] + asked["count"])
            rows = pd.DataFrame({"class": asked["label"], "seed": asked["seed"], "index": indices})
            save(asked["file"], model.predict(rows), allow_pickle=False)
            print("made", file=answers, flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
