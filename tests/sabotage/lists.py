"""What lists promise, broken on purpose."""

from tests.sabotage import Sabotage

KEYSET, LISTING = "library/plumbline/db/keyset.py", "library/plumbline/http/listing.py"
DB = "library/plumbline_tests/db/test_keyset.py::"
HTTP = "library/plumbline_tests/http/test_listing.py::"
ONCE = DB + "test_pages_have_each_row_once_in_order"
MADE_UP = HTTP + "test_cursor_that_nobody_was_given_is_refused"

SABOTAGES: tuple[Sabotage, ...] = (
    Sabotage(
        "leave out rows without a value",
        KEYSET,
        "        rest = rows.where(order.column.is_(None))\n",
        "        rest = rows.where(order.column.is_(None), order.key.is_(None))\n",
        ONCE,
    ),
    Sabotage(
        "begin a page with the last row of the one before",
        KEYSET,
        "operator.lt if order.is_descending else operator.gt",
        "operator.le if order.is_descending else operator.ge",
        ONCE,
    ),
    Sabotage(
        "forget which row came last among equal values",
        KEYSET,
        "yield rows.where(_is_after(order, order.columns, [value, key]))",
        "yield rows.where(_is_after(order, order.columns[:1], [value]))",
        ONCE,
    ),
    Sabotage(
        "sort rows with and without a value in one statement",
        KEYSET,
        "        yield rows.where(order.column.is_not(None)) if order.is_nullable else rows\n",
        "        yield rows.order_by(None).order_by(order.column.desc().nulls_last())\n",
        DB + "test_each_page_is_read_from_an_index",
    ),
    Sabotage(
        "sort by what no index has",
        KEYSET,
        "    if not _has_index(wanted):\n",
        "    if False:\n",
        DB + "test_order_that_no_index_has_is_refused",
    ),
    Sabotage(
        "take a key that rows share",
        KEYSET,
        "    if not _is_unique(wanted[-1]):\n",
        "    if False:\n",
        DB + "test_order_that_no_index_has_is_refused",
    ),
    Sabotage(
        "count all rows",
        KEYSET,
        "return int(await db.scalar(select(func.count()).select_from(some)) or 0)",
        "return int(await db.scalar(select(func.count()).select_from(rows.subquery())) or 0)",
        DB + "test_rows_are_counted_up_to_a_bound",
    ),
    Sabotage(
        "count without the table",
        KEYSET,
        "literal(1), maintain_column_froms=True",
        "literal(1)",
        HTTP + "test_total_is_given_where_asked_for_up_to_a_bound",
    ),
    Sabotage(
        "take a cursor that is spelled otherwise",
        LISTING,
        "if self.write_cursor(sort, found) != cursor or name != sort:",
        "if name != sort:",
        MADE_UP,
    ),
    Sabotage(
        "blame ourselves for a made-up cursor",
        LISTING,
        "            if self.after is not None and set(values_refused(error)) & set(self.after):\n",
        "            if self.after is None:\n",
        MADE_UP,
    ),
    Sabotage(
        "lose a filter that is given twice",
        "library/plumbline/http/pagination.py",
        "in QueryParams(query).multi_items()",
        "in QueryParams(query).items()",
        HTTP + "test_link_keeps_what_was_asked_for",
    ),
)
