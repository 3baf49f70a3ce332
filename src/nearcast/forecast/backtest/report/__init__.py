"""The report of a backtest: tables, sentences and figures, as HTML and as Markdown."""
