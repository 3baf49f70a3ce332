"""What a model answered in a fold, and where it is kept so that a run goes on after a stop."""

from __future__ import annotations

import hashlib
import json
import os
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

    from nearcast.forecast.backtest.model import Array, Mask

FOLDER = "backtests"
FORMAT = 1
"""Raise it when what is stored changes its meaning."""

HASHED = ["stock_symbol", "date", "open_price", "high_price", "low_price", "close_price", "volume"]


@dataclass(frozen=True)
class Answer:
    """One model's answer in one fold.

    Parameters
    ----------
    quantiles
        (days, 10, 7) quantiles of log returns; NaN where it did not answer.
    seconds
        Wall time of its fit and of its forecasts.
    history
        Losses of each epoch of its fit; empty when it has none.
    """

    quantiles: Array
    seconds: float
    history: list[dict[str, float]]


def answer_path(home: Path, name: str, code: str, bars: pd.DataFrame, wanted: Mask, fold: str) -> Path:
    """Return the file of an answer: it is another one after any change of the bars, the fold or the code.

    Parameters
    ----------
    name, code
        The model, and the version of its code.
    bars, wanted
        What the fold sees: bars up to its last day, and which of them it forecasts from.
    fold
        The fold's year, and the day before which its training bars lie.
    """
    import pandas as pd

    digest = hashlib.sha256(f"{FORMAT} {name} {code} {fold} {','.join(HASHED)}".encode())
    digest.update(pd.util.hash_pandas_object(bars[HASHED], index=False).to_numpy().tobytes())
    digest.update(wanted.tobytes())
    folder = re.sub(r"[^A-Za-z0-9._-]", "_", name)
    return home / FOLDER / folder / f"{fold.split()[0]}-{digest.hexdigest()[:24]}.npz"


def save(path: Path, answer: Answer) -> None:
    """Write an answer in one step, so that a reader finds all of it or none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, suffix=".tmp")
    try:
        with os.fdopen(descriptor, "wb") as stream:
            np.savez_compressed(
                stream,
                quantiles=answer.quantiles,
                seconds=np.float64(answer.seconds),
                history=np.array(json.dumps(answer.history)),
            )
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def load(path: Path) -> Answer:
    """Read what `save` wrote."""
    with np.load(path, allow_pickle=False) as stored:
        return Answer(stored["quantiles"], float(stored["seconds"]), json.loads(str(stored["history"])))
