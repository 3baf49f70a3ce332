"""A fine-tuning begins with the champion's networks, and is made again to the bit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import mlflow
import pandas as pd
import pytest
import torch
from torch import Tensor, nn

from nearcast.errors import ForecastError
from nearcast.forecast import registry
from nearcast.forecast.champions import promote_anyway
from nearcast.forecast.fit import Data
from nearcast.forecast.model import QuantileForecaster
from nearcast.forecast.network import CnnBiLstm
from nearcast.forecast.neural import FINE_TUNING_EPOCHS, FINE_TUNING_RATE, fit_settings, fresh_networks
from nearcast.forecast.registry import CHAMPION_MODEL, load_with_networks
from nearcast.forecast.tracking import connect
from nearcast.forecast.train import train, train_again
from nearcast.forecast.windows import CHANNELS
from nearcast.schema import SESSIONS_AHEAD
from nearcast.settings import Settings
from tests.forecast.conftest import TINY
from tests.forecast.hudi_table import HudiTable

COMMIT = "20230925200000000"
OTHER = replace(TINY, epochs=3, seed=9)
"""Another seed: fresh networks would begin elsewhere. More epochs: a fit from nothing would have as many."""

LARGEST_STEP = 4.0
"""No step of Adam is longer than √10 times the learning rate, and the decay of the weights is a small share of that."""


def weights(networks: Sequence[nn.Module]) -> Tensor:
    """Return the weights of networks as one vector."""
    return torch.cat([nn.utils.parameters_to_vector(network.parameters()).detach() for network in networks])


def test_a_fine_tuning_begins_with_the_champions_networks_and_is_made_again_to_the_bit(
    mlflow_home: Settings, table: HudiTable, netflix: pd.DataFrame, tiny_forecaster: QuantileForecaster
) -> None:
    table.commit(COMMIT, netflix[:700])
    with pytest.raises(ForecastError, match="no champion whose networks"):
        train(mlflow_home, OTHER, fine_tune=True)
    client = connect(mlflow_home)
    mlflow.set_experiment("a test")
    with mlflow.start_run():
        base = registry.register(tiny_forecaster, netflix[:600], client)
    promote_anyway(mlflow_home, CHAMPION_MODEL, base, "a start")
    with pytest.raises(ForecastError, match="another size than the recipe's: head, network_seeds"):
        train(mlflow_home, replace(OTHER, head=5, network_seeds=1), fine_tune=True)

    report = train(mlflow_home, OTHER, fine_tune=True)
    assert mlflow.get_run(report.run_id).data.tags["fine_tuned_from"] == base
    epochs = mlflow.MlflowClient().get_metric_history(report.run_id, "epoch_train_loss")
    assert len(epochs) == OTHER.network_seeds * FINE_TUNING_EPOCHS
    before, after = (load_with_networks(mlflow_home, version) for version in (base, report.model_version))
    assert weights(before.networks).equal(weights(tiny_forecaster.networks))
    steps = FINE_TUNING_EPOCHS * -(-(630 - 60) // OTHER.batch_size)
    farthest = LARGEST_STEP * steps * OTHER.learning_rate * FINE_TUNING_RATE
    moved = (weights(after.networks) - weights(before.networks)).abs()
    assert 0 < moved.max() < farthest
    assert (weights(after.networks) - weights(untrained(after))).abs().max() > 10 * farthest
    for mine, theirs in zip(after.networks, before.networks, strict=True):
        assert mine.head.base.equal(theirs.head.base)

    # the champion of today is another one
    promote_anyway(mlflow_home, CHAMPION_MODEL, report.model_version, "a try")
    again = train_again(mlflow_home, report.run_id)
    assert again.metrics == report.metrics
    assert again.again is not None and again.again.metrics == {}
    assert mlflow.get_run(again.run_id).data.tags["fine_tuned_from"] == base
    twice = load_with_networks(mlflow_home, again.model_version)
    assert weights(twice.networks).equal(weights(after.networks))


def untrained(forecaster: QuantileForecaster) -> list[CnnBiLstm]:
    """Return the networks that a fit from nothing with the forecaster's recipe would begin with."""
    windows = torch.zeros(2, len(CHANNELS), forecaster.recipe.window)
    inputs = (windows, torch.zeros(2, len(forecaster.neural.scaler.mean)))
    return fresh_networks(forecaster.recipe, Data(inputs, (torch.ones(2, SESSIONS_AHEAD),)))


def test_a_fine_tuning_takes_fewer_epochs_at_a_lower_rate() -> None:
    tuned, whole = fit_settings(OTHER, 1, tuning=True), fit_settings(OTHER, 1)
    assert (tuned.epochs, whole.epochs) == (FINE_TUNING_EPOCHS, OTHER.epochs)
    assert tuned.learning_rate == pytest.approx(FINE_TUNING_RATE * whole.learning_rate)
    assert tuned.seed == whole.seed == OTHER.seed + 1
