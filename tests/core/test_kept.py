"""Open holds that are kept outside the ledger: a line each, and the last word about each hold counts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.catalog import Entitlement
from bot.core.holds import Hold, Receipt
from bot.core.kept import Kept, latest, line_of, read_line

NINE = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
ROLE = Entitlement(target="hook", what=(("role", "admin"),))
ADA = Hold(target="hook", account="ada", entitlement=ROLE)
FIRST, SECOND = (Receipt(system="s", facts={"id": each}) for each in ("1", "2"))

texts = st.text(max_size=20)
receipts = st.builds(
    Receipt, system=texts, facts=st.dictionaries(texts, texts, max_size=2), moved_from=st.none() | texts
)
times = st.datetimes(timezones=st.just(UTC))
pairs = st.lists(st.tuples(texts, texts), max_size=3).map(tuple)
holds = st.builds(
    lambda target, account, what: Hold(
        target=target, account=account, entitlement=Entitlement(target=target, what=what)
    ),
    texts,
    texts,
    pairs,
)


def kept(*names: Receipt, at: int = 0, gone: bool = False) -> Kept:
    return Kept(hold=ADA, receipts=names, at=NINE + timedelta(seconds=at), until=NINE, gone=gone)


@given(
    st.builds(
        Kept,
        hold=holds,
        receipts=st.lists(receipts, max_size=3).map(tuple),
        at=times,
        until=st.none() | times,
        gone=st.booleans(),
    )
)
def test_a_line_says_all_of_it(each: Kept) -> None:
    line = line_of(each)
    assert line.count("\n") == 1
    assert read_line(line) == each


@pytest.mark.parametrize(
    "line", ["", "{}", "[]", "null", "7", '{"at": 1}', line_of(kept(FIRST))[:-9], line_of(kept(FIRST))[5:]]
)
def test_what_is_no_line_is_refused(line: str) -> None:
    with pytest.raises(ValueError):
        read_line(line)


def test_the_last_word_counts() -> None:
    extended = kept(FIRST, at=2)
    assert latest([kept(FIRST), extended]) == {ADA.key: extended}
    gone = kept(FIRST, gone=True)
    assert latest([kept(FIRST), gone]) == {ADA.key: gone}
    again = kept(SECOND)
    assert latest([kept(FIRST), gone, again]) == {ADA.key: again}


def test_what_an_older_ledger_saw_to_be_gone_ends_no_later_grant() -> None:
    later = kept(SECOND)
    assert latest([later, kept(FIRST, gone=True)]) == {ADA.key: later}
    both = kept(FIRST, SECOND)
    assert latest([both, kept(SECOND, gone=True)]) == {ADA.key: both}
    assert latest([both, kept(SECOND, FIRST, gone=True)])[ADA.key].gone


def test_it_is_past_its_end_from_that_moment_on() -> None:
    each = kept(FIRST)
    assert not each.is_past(NINE - timedelta(seconds=1))
    assert each.is_past(NINE)
    assert not Kept(hold=ADA, receipts=(FIRST,), at=NINE).is_past(NINE + timedelta(days=9_999))
