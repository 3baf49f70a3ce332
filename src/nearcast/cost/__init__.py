"""What the system costs in an AWS account, and where each part of it stops: arithmetic on published figures.

Nothing here reaches AWS. Prices and limits are data (`prices.toml`, `limits.toml`), each with its source.
"""
