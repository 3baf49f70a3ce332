"""The AWS gateway of one machine: ministack, with some of its actions made real.

ministack serves DynamoDB, Kinesis, S3, SQS, Lambda, IAM, CloudFormation and the Glue catalog. Firehose
delivery, Glue crawlers, Glue jobs and Athena queries, which it only acknowledges, are done here.
"""
