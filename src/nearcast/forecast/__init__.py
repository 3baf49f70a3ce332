"""Forecasts: features, the CNN-BiLSTM, training, the registry, and the live record."""
