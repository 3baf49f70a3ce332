"""The checker of boto3 calls itself, on small sources with one mistake each."""

from __future__ import annotations

import ast
from textwrap import dedent

import pytest

from tests.infrastructure.calls import find_calls
from tests.infrastructure.checks import wrong_arguments
from tests.infrastructure.program import Module, Program

AWS = Module("nearcast.aws", "aws.py", ast.parse("def client(service, settings): ..."))


def check(source: str) -> tuple[list[str], list[str], list[str]]:
    """Return the calls found in a source, what is wrong with them, and what was not followed."""
    text = "from nearcast.aws import client\n" + dedent(source)
    program = Program([AWS, Module("m", "m.py", ast.parse(text))])
    result = find_calls(program)
    wrong = [line for call in result.calls for line in wrong_arguments(program, call)]
    return [f"{call.service} {call.operation}" for call in result.calls], wrong, result.problems


@pytest.mark.parametrize(
    ("source", "calls"),
    [
        ("client('s3', s).get_object(Bucket='b', Key='k')", ["s3 GetObject"]),
        ("def f():\n  s3 = client('s3', s)\n  s3.get_object(Bucket='b', Key='k')", ["s3 GetObject"]),
        ("s3, b = client('s3', s), 1\ns3.get_object(Bucket='b', Key='k')", ["s3 GetObject"]),
        (
            "pages = client('s3', s).get_paginator('list_objects_v2')\npages.paginate(Bucket='b')",
            ["s3 ListObjectsV2"],
        ),
        (
            "w = client('cloudformation', s).get_waiter('stack_create_complete')\nw.wait(StackName='x')",
            ["cloudformation DescribeStacks"],
        ),
        ("def f(q):\n  q.get_queue_url(QueueName='n')\nf(client('sqs', s))", ["sqs GetQueueUrl"]),
        ("def f(a, *, q):\n  q.get_queue_url(QueueName='n')\nf(1, q=client('sqs', s))", ["sqs GetQueueUrl"]),
        (
            """
            class A:
                def __init__(self, q): self.q = q
                def f(self): return lambda: self.q.get_queue_url(QueueName='n')
            A(client('sqs', s)).f()
            """,
            ["sqs GetQueueUrl"],
        ),
        (
            "c = client('cloudformation', s)\n(c.update_stack if x else c.create_stack)(**r)",
            ["cloudformation UpdateStack", "cloudformation CreateStack"],
        ),
        (
            "WAYS = {'a': 'delete_stack'}\ngetattr(client('cloudformation', s), WAYS[x])(StackName='n')",
            ["cloudformation DeleteStack"],
        ),
        ("def f():\n  return client('sqs', s)\nf().get_queue_url(QueueName='n')", ["sqs GetQueueUrl"]),
        (
            """
            class A:
                @property
                def queues(self): return client('sqs', s)
                def make(self): return client('s3', s)
            def f(a): a.queues.get_queue_url(QueueName='n'), a.make().get_object(Bucket='b', Key='k')
            """,
            ["sqs GetQueueUrl", "s3 GetObject"],
        ),
        (
            "client('s3', s).upload_file('f', 'b', 'k')",
            [
                "s3 PutObject",
                "s3 CreateMultipartUpload",
                "s3 UploadPart",
                "s3 CompleteMultipartUpload",
                "s3 AbortMultipartUpload",
            ],
        ),
    ],
)
def test_a_client_is_followed(source: str, calls: list[str]) -> None:
    assert check(source) == (calls, [], [])


@pytest.mark.parametrize(
    ("source", "wrong"),
    [
        ("client('s3', s).get_object(Bucket='b', Kee='k')", "GetObject has no Kee"),
        ("client('s3', s).get_object(Bucket='b')", "GetObject needs Key"),
        ("client('s3', s).get_object('b')", "GetObject takes keywords alone"),
        ("client('s3', s).upload_file('f', 'b')", "upload_file: missing a required argument: 'Key'"),
        ("client('s3', s).get_object(Bucket='b', Key=1)", "GetObject.Key is 1, not a text"),
        ("p = {'Bucket': 'b'}\nclient('s3', s).get_object(**p)", "GetObject needs Key"),
        (
            "client('dynamodb', s).query(TableName='t', Select='COUNTS')",
            "Query.Select is 'COUNTS', none of",
        ),
        (
            "client('sqs', s).receive_message(QueueUrl='u', MaxNumberOfMessages='10')",
            "ReceiveMessage.MaxNumberOfMessages is '10', not a number",
        ),
        (
            "client('s3', s).get_paginator('list_objects_v2').paginate(Bucket='b', PaginationConfig={'Size': 1})",
            "PaginationConfig has no Size",
        ),
        (
            "T = {'Nam': 'n'}\nclient('glue', s).create_table(DatabaseName='d', TableInput=T)",
            "CreateTable.TableInput has no Nam",
        ),
        (
            "client('glue', s).create_table(DatabaseName='d', TableInput={})",
            "CreateTable.TableInput needs Name",
        ),
    ],
)
def test_arguments_that_do_not_fit_are_named(source: str, wrong: str) -> None:
    _, found, problems = check(source)
    assert any(one.startswith(wrong) for one in found), found
    assert problems == []


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("client('s3', s).get_objekt(Bucket='b')", "s3 has no operation get_objekt"),
        ("client('s4', s).get_object(Bucket='b')", "a client of a service that cannot be told"),
        ("client(name, s).get_object(Bucket='b')", "a client of a service that cannot be told"),
        ("client('s3', s).get_paginator('get_object')", "s3 has no such paginator"),
        ("client('s3', s).get_waiter('bucket_is_fine')", "s3 has no such waiter"),
        (
            "def f():\n  return client('s3', s)\ng = f",
            "a function that returns a client goes where it is not followed",
        ),
        ("def f():\n  yield client('s3', s)", "a client goes where it is not followed"),
        ("f = lambda: client('s3', s)", "a client goes where it is not followed"),
        ("clients = [client('s3', s)]", "a client goes where it is not followed"),
        ("c = {}\nc['s3'] = client('s3', s)", "a client goes where it is not followed"),
        ("getattr(client('s3', s), name)()", "a client's method that cannot be told"),
        ("print(client('s3', s))", "a client is passed to what is not of the program"),
        ("def f(*all): ...\nf(client('s3', s))", "a client is passed to a parameter that cannot be told"),
    ],
)
def test_what_cannot_be_followed_is_an_error(source: str, problem: str) -> None:
    _, _, problems = check(source)
    assert [one.partition(": ")[2] for one in problems] == [problem]


def test_a_client_of_something_else_is_none_of_boto3_s() -> None:
    source = """
    def f():
        client = connect()
        client.get_run('r')
    """
    assert check(source) == ([], [], [])
