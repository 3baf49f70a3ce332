"""The lake: crawling, the Hudi job, queries, the local copy, and reconciliation with the source."""
