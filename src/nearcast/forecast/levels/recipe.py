"""The settings of the classic method."""

from __future__ import annotations

from dataclasses import dataclass

from nearcast.errors import ForecastError

CHRONOLOGICAL = "chronological"
SHUFFLED = "shuffled"
SPLITS = (CHRONOLOGICAL, SHUFFLED)

LEAKING = "leaking"
"""Stands wherever the figures of a shuffled split appear: its test windows overlap those of the training."""


@dataclass(frozen=True)
class LevelsRecipe:
    """One way to train the classic CNN-BiLSTM.

    Parameters
    ----------
    window
        Closes in a window, normalised by the first of them.
    split
        ``chronological``: the last days are the test. ``shuffled``: so are days drawn from all of them,
        as papers and tutorials do it; neighbours of a test day are then trained on.
    train
        Share of the days (chronological) or of the windows (shuffled) to train on.
    channels, hidden
        Widths of the convolutions and of the two BiLSTM layers (per direction).

    Raises
    ------
    ForecastError
        When there is no such split.
    """

    name: str = "levels"
    window: int = 100
    split: str = CHRONOLOGICAL
    train: float = 0.8
    channels: tuple[int, int, int] = (64, 128, 64)
    hidden: tuple[int, int] = (128, 64)
    dropout: float = 0.3
    batch_size: int = 40
    epochs: int = 40
    learning_rate: float = 1e-3
    seed: int = 1

    def __post_init__(self) -> None:
        """Refuse an unknown split."""
        if self.split not in SPLITS:
            raise ForecastError(
                f"There is no split {self.split!r}.", todo=f"Choose one of {', '.join(SPLITS)}."
            )

    @property
    def leaking(self) -> bool:
        """Whether its test days are neighbours of days that were trained on."""
        return self.split == SHUFFLED
