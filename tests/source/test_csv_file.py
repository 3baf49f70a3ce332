"""Reading a user's CSV: every row becomes exactly the bar it says, or is named with its line and reason."""

from __future__ import annotations

import csv
import io
import tempfile
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nearcast.errors import SourceError
from nearcast.source.bar import Bar
from nearcast.source.csv_file import Rejected, read_bars

HEADING = "Date,Open,High,Low,Close,Volume"
GOOD = "2023-01-03,10,12,9,11,1000"
BAR = Bar("NFLX", date(2023, 1, 3), 10.0, 12.0, 9.0, 11.0, 1000)


def read(text: str | bytes, symbols: tuple[str, ...] = ("NFLX",)) -> list[Bar | Rejected]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "prices.csv"
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return list(read_bars(path, symbols))


def test_the_bundled_prices_are_read_bit_by_bit(bundled_prices: Path) -> None:
    with bundled_prices.open(newline="") as stream:
        expected = [
            Bar(
                row["symbol"],
                date.fromisoformat(row["date"]),
                float(row["open"]),
                float(row["high"]),
                float(row["low"]),
                float(row["close"]),
                int(row["volume"]),
                float(row["adjusted"]),
            )
            for row in csv.DictReader(stream)
        ]
    assert list(read_bars(bundled_prices)) == expected
    assert len(expected) == 16_194


@pytest.mark.parametrize(
    "text",
    [
        f"{HEADING}\n{GOOD}\n",
        f"\ufeff{HEADING}\r\n{GOOD}\r\n",
        f"{HEADING}\r{GOOD}",
        f"{HEADING}\n\n{GOOD}\n\n   \n",
        "volume,CLOSE, Low ,high,oPEN,date\n1000,11,9,12,10,2023-01-03\n",
        "Date;Open;High;Low;Close;Volume\n2023-01-03;10;12;9;11;1000\n",
        "Date\tOpen\tHigh\tLow\tClose\tVolume\n2023-01-03\t10\t12\t9\t11\t1000\n",
        '"Date","Open","High","Low","Close","Volume"\n"2023-01-03","10","12","9","11","1000.0"\n',
        'Date,Open,High,Low,Close,Volume,Note\n2023/01/03,10.,12.0,0.9e1,1.1e1,1e3,"a, b"\n',
        "Date,Open Price,High Price,Low Price,Close/Last,Volume\n2023-01-03 00:00:00-05:00,10,12,9,11,1000\n",
        f"{HEADING},Ticker\n{GOOD},nflx\n{GOOD},AAPL\n",
        f"{HEADING}\nJan 3, 2023;".replace(",", ";").replace("Jan 3;", "Jan 3,") + "10;12;9;11;1000\n",
    ],
)
def test_the_same_bar_is_read_from_every_usual_form(text: str) -> None:
    assert read(text) == [BAR]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("2023-01-04,10,8,9,9,1", "high 8.0 is below low 9.0"),
        ("2023-01-04,13,12,9,11,1", "high 12.0 is below open 13.0"),
        ("2023-01-04,10,12,9,13,1", "high 12.0 is below close 13.0"),
        ("2023-01-04,8,12,9,11,1", "low 9.0 is above open 8.0"),
        ("2023-01-04,10,12,9,8,1", "low 9.0 is above close 8.0"),
        ("2023-01-04,10,12,0,11,1", "low price 0.0 is not positive"),
        ("2023-01-04,-10,12,9,11,1", "open price -10.0 is not positive"),
        ("2023-01-04,10,12,9,11,-1", "volume -1 is negative"),
        ("2023-01-04,10,12,9,11,1.5", "volume '1.5' is not a whole number"),
        ("2023-01-04,10,12,9,11,1e99999999999", "volume '1e99999999999' is too large"),
        ("2023-01-04,10,12,9,11,9223372036854775808", "volume 9223372036854775808 is too large"),
        ("2023-01-04,10,12,9,NaN,1", "close 'NaN' is not a number"),
        ("2023-01-04,10,inf,9,11,1", "high 'inf' is not a number"),
        ("2023-01-04,10,1e999,9,11,1", "high '1e999' is not finite"),
        ("2023-01-04,10,1e200,9,11,1", "high price 1e+200 is out of range"),
        ("2023-01-04,ten,12,9,11,1", "open 'ten' is not a number"),
        ("2023-01-04,1_0,12,9,11,1", "open '1_0' is not a number"),
        ("2023-01-04,10,12,9,11,null", "volume 'null' is not a number"),
        ('2023-01-04,"1,000.5",12,9,11,1', "open '1,000.5' has a comma: write 1234.5"),
        ("2023-01-04,10,12,9,,1", "no close"),
        (",10,12,9,11,1", "no date"),
        ("2023-02-30,10,12,9,11,1", "there is no day '2023-02-30'"),
        ("03/04/2023,10,12,9,11,1", "date '03/04/2023' can be read in two ways: write YYYY-MM-DD"),
        ("soon,10,12,9,11,1", "date 'soon' is not a date: write YYYY-MM-DD"),
        ("20230104,10,12,9,11,1", "date '20230104' is not a date: write YYYY-MM-DD"),
        ("2023-01-04,10,12,9,11", "5 fields where the heading has 6"),
        ("2023-01-04,10,12,9,11,1,2", "7 fields where the heading has 6"),
        ('2023-01-04,"10,12,9,11,1', "unexpected end of data"),
        ("2023-01-03,10,12,9,11,1000", "duplicate: NFLX 2023-01-03 is on line 2 already"),
    ],
)
def test_a_bad_row_is_named_with_its_line_and_the_rows_around_it_are_read(row: str, reason: str) -> None:
    after = "2023-01-05,10,12,9,11,1000"
    rows = read(f"{HEADING}\n{GOOD}\n\n{row}\n{after}\n")
    assert rows == [BAR, Rejected(4, reason), Bar("NFLX", date(2023, 1, 5), 10.0, 12.0, 9.0, 11.0, 1000)]


def test_the_same_day_of_two_symbols_is_no_duplicate_and_an_empty_adjusted_close_is_unknown() -> None:
    text = f"{HEADING},Adj Close,Symbol\n{GOOD},,NFLX\n{GOOD},5.5,AAPL\n{GOOD},5.5,\n{GOOD},5.5,a/b\n"
    assert read(text, ()) == [
        BAR,
        Bar("AAPL", date(2023, 1, 3), 10.0, 12.0, 9.0, 11.0, 1000, 5.5),
        Rejected(4, "no symbol"),
        Rejected(5, "'a/b' is not a ticker symbol"),
    ]


@pytest.mark.parametrize(
    ("text", "symbols", "said"),
    [
        (b"", ("NFLX",), "lacks Date, Open, High, Low, Close, Volume"),
        (b"\n\n", ("NFLX",), "lacks Date"),
        (HEADING, ("NFLX",), "has no rows"),
        ("Date,Open,High,Low,Volume\n", ("NFLX",), "lacks Close in its first line"),
        ("Date,Open,High,Low,Close,close,Volume\n", ("NFLX",), "has more than one Close"),
        (b"\x89PNG\r\n\x1a\n\xff\xfe", ("NFLX",), "is not a text file in UTF-8"),
        (b"PK\x03\x04\x00\x00", ("NFLX",), "is not a CSV file"),
        (f"{HEADING}\n{GOOD}\n", (), "has no Symbol column, and no symbols were named"),
        (f"{HEADING}\n{GOOD}\n", ("NFLX", "AAPL"), "has no Symbol column, and 2 symbols were named"),
        (f"{HEADING},Symbol\n{GOOD},NFLX\n", ("AAPL",), "has no rows of AAPL"),
        (f"{HEADING}\n{GOOD}\n", ("../x",), "'../x' is not a ticker symbol"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_whole(
    text: str | bytes, symbols: tuple[str, ...], said: str
) -> None:
    with pytest.raises(SourceError, match=said):
        read(text, symbols)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "none.csv", tmp_path):
        with pytest.raises(SourceError, match="cannot be read"):
            list(read_bars(path, ["NFLX"]))


@st.composite
def bars(draw: st.DrawFn) -> list[Bar]:
    """Bars with distinct days, of any prices that can be."""
    price = st.floats(min_value=1e-6, max_value=1e9, allow_nan=False)
    days = draw(st.lists(st.dates(min_value=date(1800, 1, 1)), min_size=1, max_size=8, unique=True))
    found = []
    for day in days:
        low, first, second, high = sorted(draw(st.tuples(price, price, price, price)))
        volume = draw(st.integers(min_value=0, max_value=2**63 - 1))
        adjusted = draw(st.none() | price)
        found.append(Bar("BRK.B", day, first, high, low, second, volume, adjusted))
    return found


@given(bars(), st.sampled_from(",;\t|"), st.booleans())
def test_any_bars_come_back_from_a_csv_bit_by_bit(expected: list[Bar], delimiter: str, quoted: bool) -> None:
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter, quoting=csv.QUOTE_ALL if quoted else csv.QUOTE_MINIMAL)
    writer.writerow(["Symbol", "Date", "Adj Close", "Open", "High", "Low", "Close", "Volume"])
    for bar in expected:
        adjusted = "" if bar.adjusted_close is None else repr(bar.adjusted_close)
        prices = (bar.open_price, bar.high_price, bar.low_price, bar.close_price)
        writer.writerow([bar.stock_symbol, bar.date.isoformat(), adjusted, *map(repr, prices), bar.volume])
    assert read(text.getvalue(), ()) == expected


@given(
    st.binary(max_size=200)
    | st.text(max_size=200).map(str.encode)
    | st.lists(st.sampled_from([*"0123456789.-+eE,\"';\n\r\t", "nan", "2023-01-03", "\ufeff", "é"])).map(
        lambda words: f"{HEADING}\n{''.join(words)}".encode()
    )
)
def test_no_content_raises_anything_but_a_source_error(content: bytes) -> None:
    try:
        rows = read(content)
    except SourceError:
        return
    assert rows
