"""Change records as a stream may bring them: a source's history, then duplicated, reordered, late, malformed.

The history follows the source's rules: a version from one counter for each change, a deletion as a mark and a
removal, a row that may come back. What the lake must hold is known from the history alone.
"""

from __future__ import annotations

import base64
import copy
import json
import random
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from nearcast.schema import PRICE_COLUMNS

EXAMPLES = Path(__file__).parents[1] / "stream"
SHAPES = [json.loads((EXAMPLES / f"change_records_{name}.json").read_text()) for name in ("aws", "emulator")]
SYMBOLS = ("PROP.A", "^PROP-B", "PROP_C", "PÄD")
FIRST_DAY = date(2019, 12, 1)
DAYS = 60
Key = tuple[str, date]


@dataclass(frozen=True)
class Event:
    """A record of the stream, and what must become of it: ``row``, ``deletion``, ``mark`` or ``malformed``."""

    data: bytes
    fate: str

    def record(self, record_id: str) -> dict[str, Any]:
        """Return it as a record of Firehose's event."""
        return {
            "recordId": record_id,
            "approximateArrivalTimestamp": 1687368186000,
            "data": base64.b64encode(self.data).decode(),
        }


@dataclass
class History:
    """The source and everything that it ever told, oldest first.

    Parameters
    ----------
    newest
        Of each key its newest version, and the bar of it (prices and volume; None: deleted).
    events
        The records, each once.
    """

    chance: random.Random
    version: int = 0
    newest: dict[Key, tuple[int, tuple[float, ...] | None]] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)

    def step(self) -> None:
        """Insert, change or delete a row."""
        symbol = self.chance.choice(SYMBOLS)
        key = (symbol, FIRST_DAY + timedelta(days=self.chance.randrange(DAYS)))
        version, bar = self.newest.get(key, (0, None))
        if bar is None or self.chance.random() < 0.5:
            self._put(key, bar is None)
        elif self.chance.random() < 0.8:
            self._delete(key)
        else:
            # Deleted in DynamoDB by hand: the removal bears the version of the row itself.
            self._tell("remove", key, OldImage=_image(key, version, bar))
            self.newest[key] = (version, None)

    def _put(self, key: Key, new: bool) -> None:
        self.version += 1
        prices = [self.chance.uniform(0.01, 5000) for _ in PRICE_COLUMNS]
        bar = (*prices, self.chance.randrange(2**40))
        self._tell("insert" if new else "modify", key, NewImage=_image(key, self.version, bar))
        self.newest[key] = (self.version, bar)

    def _delete(self, key: Key) -> None:
        self.version += 1
        mark = {**_key(key), "version": {"N": str(self.version)}, "deleted": {"BOOL": True}}
        self._tell("mark", key, NewImage=mark)
        self._tell("remove", key, OldImage=mark)
        self.newest[key] = (self.version, None)

    def _tell(self, kind: str, key: Key, **images: Any) -> None:
        change = copy.deepcopy(self.chance.choice(SHAPES)[kind])
        change["dynamodb"] |= {"Keys": _key(key), **images}
        fate = {"mark": "mark", "remove": "deletion"}.get(kind, "row")
        self.events.append(Event(json.dumps(change).encode(), fate))

    def rows(self) -> dict[Key, tuple[float, ...]]:
        """Return the living rows: prices, volume, version."""
        return {key: (*bar, version) for key, (version, bar) in self.newest.items() if bar is not None}


def _key(key: Key) -> dict[str, Any]:
    return {"stock_symbol": {"S": key[0]}, "date": {"S": key[1].isoformat()}}


def _image(key: Key, version: int, bar: tuple[float, ...]) -> dict[str, Any]:
    names = (*PRICE_COLUMNS, "volume", "version")
    values = (*bar, version)
    return _key(key) | {name: {"N": repr(value)} for name, value in zip(names, values, strict=True)}


def spoil(chance: random.Random, event: Event) -> Event:
    """Return a malformed variant of an event: none that could pass for a row."""
    change = json.loads(event.data)
    body = change["dynamodb"]
    image = body.get("OldImage" if change["eventName"] == "REMOVE" else "NewImage", {})
    spoilt: list[Any] = [
        event.data[: chance.randrange(len(event.data))],
        chance.randbytes(chance.randrange(200)),
        b"[" * chance.randrange(1, 5000),
        {**change, "eventName": chance.choice([None, "insert", 5, ["INSERT"]])},
        {**change, "dynamodb": chance.choice([None, [], "x", {}, {**body, "Keys": {}}])},
        {**change, "dynamodb": {k: v for k, v in body.items() if not k.endswith("Image")}},
        {
            **change,
            "dynamodb": {**body, "ApproximateCreationDateTime": chance.choice([None, "now", 1e300, -1])},
        },
    ]
    name = chance.choice(["stock_symbol", "date", "version"])
    wrong = [
        None,
        {},
        {"S": ""},
        {"S": "no/thing\0"},
        {"N": "NaN"},
        {"N": "1e400"},
        {"N": 5},
        {"S": ["x"]},
        "x",
    ]
    if image.get("deleted") is None:
        image[name] = chance.choice(wrong)
        spoilt.append(change)
    choice = chance.choice(spoilt)
    return Event(choice if isinstance(choice, bytes) else json.dumps(choice).encode(), "malformed")


def stream(seed: int, count: int) -> tuple[History, list[Event]]:
    """Return a source's history and ``count`` records of it in the order of their arrival.

    About a tenth are malformed, a seventh are repeats; every record is up to some hundred places out of order,
    and one in twenty comes at any later time.
    """
    chance = random.Random(seed)
    history = History(chance)
    malformed, repeats = count // 10, count // 7
    while len(history.events) < count - malformed - repeats:
        history.step()
    told = history.events + chance.choices(history.events, k=count - malformed - len(history.events))
    # A mark is dropped whatever else it holds, so only the others can be malformed.
    lines = [event for event in history.events if event.fate != "mark"]
    told += [spoil(chance, event) for event in chance.choices(lines, k=malformed)]
    places = [chance.uniform(0, count) for _ in told]
    for i in range(len(history.events)):
        late = chance.random() < 0.05
        places[i] = i * count / len(history.events)
        places[i] = chance.uniform(places[i], count) if late else places[i] + chance.uniform(0, 300)
    return history, [event for _, event in sorted(zip(places, told, strict=True), key=lambda pair: pair[0])]
