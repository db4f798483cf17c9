"""Tables of many rows are only counted: every transaction is there whole, or not at all."""

from collections.abc import Iterator, Mapping

from ...language.sides import MASTER
from ..wrong import Wrong
from .fates import Bounds, Fate
from .story import Count, Story, Txn, told


def wrong_counts(found: Story, bounds: Mapping[str, Mapping[int, Bounds]]) -> Iterator[Wrong]:
    """Counts that no set of transactions explains which may be there then."""
    for count in found.counts:
        txns = [
            (txn, bounds[count.side][txn.number])
            for txn in found.txns
            if txn.f == "bulk" and f"{txn.database}/{txn.table}" == count.table
        ]
        must, may = [], []
        for txn, bound in txns:
            if bound.fate is Fate.MUST and bound.high < count.begin:
                must.append(txn)
            elif bound.fate is not Fate.MUST_NOT and bound.low < count.end:
                may.append(txn)
        sums = {sum(map(_rows, must))}
        for txn in may:
            sums |= {rows + _rows(txn) for rows in sums if rows < count.rows}
        if count.rows not in sums:
            yield _wrong(count, must, may)
            return


def _rows(txn: Txn) -> int:
    return int(txn.call.invoke.value["rows"])


def _wrong(count: Count, must: list[Txn], may: list[Txn]) -> Wrong:
    where = "the master" if count.side == MASTER else count.side
    wanted = ", ".join(f"{told(txn.call)} of {_rows(txn):,} rows" for txn in (*must, *may))
    missing = bool(must) and count.rows < sum(map(_rows, must))
    sentence = (
        f"{told(count.call, capital=True)} finds {count.rows:,} rows of {count.table} on {where}, "
        f"where {wanted or 'nothing'} {'must' if must else 'may'} be there."
    )
    calls = (*(txn.call for txn in (*must, *may)[:1]), count.call)
    kind = "master" if count.side == MASTER else "missing" if missing else "half"
    return Wrong(kind, sentence, calls)
