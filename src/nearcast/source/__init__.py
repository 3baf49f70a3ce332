"""The source: PostgreSQL, its schema, loading prices, and the record of what was published."""
