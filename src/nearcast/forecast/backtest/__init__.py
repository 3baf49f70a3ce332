"""Walk-forward backtests: every model on the same days, judged against the last close."""
