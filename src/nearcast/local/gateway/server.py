"""Serving the gateway: ministack's application, with our actions, on a loopback port.

``python -m nearcast.local.gateway.server`` with NEARCAST_HOME, NEARCAST_GATEWAY_PORT and NEARCAST_AWS_REGION.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any

from nearcast.local.gateway.snapshots import Snapshots, current_folder, read_current
from nearcast.local.gateway.wal import WriteAheadLog
from nearcast.local.ports import listen_address
from nearcast.log import configure, get_logger
from nearcast.settings import load_settings

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


def configure_ministack(home: Path, port: int, region: str) -> None:
    """Set what ministack reads from its environment when it is imported."""
    state = home / "gateway"
    (state / "s3").mkdir(parents=True, exist_ok=True)
    (state / "state").mkdir(exist_ok=True)
    os.environ.update(
        GATEWAY_PORT=str(port),
        BIND_HOST="127.0.0.1",
        MINISTACK_HOST="127.0.0.1",
        MINISTACK_REGION=region,
        AWS_DEFAULT_REGION=region,
        PERSIST_STATE="1",
        STATE_DIR=str(current_folder(state / "state")),
        S3_PERSIST="1",
        S3_DATA_DIR=str(state / "s3"),
        SFTP_ENABLED="0",
        IOT_MTLS_ENABLED="0",
        LOG_LEVEL=os.environ.get("LOG_LEVEL", "WARNING"),
    )


class Gateway:
    """The ASGI application: starts and stops our own workers with ministack's life span."""

    def __init__(self, home: Path, port: int, region: str) -> None:
        from ministack import app

        from nearcast.local.gateway import (
            athena,
            change_sets,
            cloudformation,
            crawler_policy,
            firehose_checks,
            jobs,
            kinesis,
        )
        from nearcast.local.gateway.crawler import Crawlers
        from nearcast.local.gateway.durability import Durability
        from nearcast.local.gateway.firehose import DeliveryWorker
        from nearcast.local.gateway.hooks import install
        from nearcast.local.gateway.spark import SparkHost

        self.inner = app.app
        self.spark = SparkHost(home, port, region)
        self.delivery = DeliveryWorker(home / "gateway" / "delivery", region)
        install("athena", athena.actions())
        crawlers = Crawlers(home / "gateway" / "crawlers")
        install("glue", {**crawlers.actions(), **jobs.actions(jobs.Runner(home, self.spark))})
        crawlers.install()
        crawler_policy.install()
        cloudformation.install()
        change_sets.install()
        firehose_checks.install()
        self.sequence_numbers = kinesis.install(self.delivery.arrived)
        wal = WriteAheadLog(home / "gateway" / "wal")
        self.snapshots = Snapshots(home / "gateway" / "state", wal)
        self.durability = Durability(wal, self.snapshots)
        self.durability.install()

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Pass everything to ministack; act on start-up and shutdown."""
        if scope["type"] != "lifespan":
            await self.inner(scope, receive, send)
            return

        async def received() -> Message:
            message = await receive()
            if message["type"] == "lifespan.shutdown":
                # Off the loop: the last flush calls services that run on it.
                await asyncio.to_thread(self.delivery.stop)
                await asyncio.to_thread(self.spark.stop)
                await self._save()
            return message

        async def sent(message: Message) -> None:
            if message["type"] == "lifespan.startup.complete":
                await self._restore()
                self.spark.start()
                self.delivery.start()
            await send(message)

        await self.inner(scope, received, sent)

    async def _restore(self) -> None:
        """Bring back what the snapshot lacks; the port is not open yet."""
        from nearcast.local.gateway import durability, kinesis, recovery

        snapshot = read_current(self.snapshots.state)
        self.sequence_numbers.stay_above([*kinesis.held_sequence_numbers(), *self.delivery.checkpoints()])
        await self.durability.replay(snapshot.number)
        recovery.recover(snapshot)
        self.snapshots.changed()
        await self.snapshots.durable()
        self.keeping = asyncio.create_task(self.snapshots.keep(durability.interval()))

    async def _save(self) -> None:
        """Write the last snapshot, in place of ministack's own saving."""
        from ministack import app

        self.keeping.cancel()
        app.PERSIST_STATE = False
        async with self.snapshots.lock:
            self.snapshots.save_at_stop()


def main() -> None:
    """Serve until SIGTERM or SIGINT; state is saved at a clean stop."""
    import uvicorn

    configure(os.environ.get("NEARCAST_LOG_LEVEL", "info"))
    home = Path(os.environ["NEARCAST_HOME"]).absolute()
    port = int(os.environ["NEARCAST_GATEWAY_PORT"])
    region = os.environ.get("NEARCAST_AWS_REGION", "us-east-1")
    configure_ministack(home, port, region)
    secret = load_settings(home).aws_secret_access_key
    if secret is not None:
        # with which ministack checks presigned addresses, such as those that MLflow gives its clients
        os.environ["AWS_SECRET_ACCESS_KEY"] = secret.get_secret_value()
    get_logger("gateway").info("starting", port=port, home=str(home))
    uvicorn.run(
        Gateway(home, port, region),
        host=listen_address(),
        port=port,
        loop="uvloop",
        access_log=False,
        log_level="warning",
        timeout_keep_alive=75,
        lifespan="on",
    )


if __name__ == "__main__":
    main()
