"""The stream: the publisher (PostgreSQL to DynamoDB) and the transformer (the Lambda of Firehose)."""
