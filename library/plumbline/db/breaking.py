"""What the running release misses once a revision has run: it serves on until it is replaced."""

from collections.abc import Iterator

from plumbline.db.catalogue import Catalogue, Relation
from plumbline.db.observing import Run

Found = tuple[str, str, str]  # rule, subject, detail
TABLES = {"r", "p", "f"}


def find(run: Run) -> Iterator[tuple[int, str, str, str]]:
    """Line, rule, subject, detail: of what is missing at the end, where it was taken away."""
    lines: dict[Found, int] = {}
    last = run.statements[-1].line if run.statements else 0
    steps = [(each.after, each.line) for each in run.statements]
    for after, line in [*steps, (run.after, last)]:
        missing = set(compare(run.before, after))
        lines = {found: lines.get(found, line) for found in missing}
    for found, line in sorted(lines.items()):
        yield line, *found


def compare(before: Catalogue, after: Catalogue) -> Iterator[Found]:
    """What a program misses that is written for `before`. Views with the old names serve it."""
    yield from _relations(before, after)
    yield from _columns(before, after)
    yield from _uniqueness(before, after)
    yield from _objects(before, after)
    yield from _labels(before, after)


def _relations(before: Catalogue, after: Catalogue) -> Iterator[Found]:
    there, was_there = after.columns_by_name(), before.columns_by_name()
    for oid, relation in before.relations.items():
        if relation.name not in there:
            yield _gone(oid, relation, before, after)
        elif relation.kind in TABLES and oid not in after.relations:
            yield "drop-table", relation.name, "it is dropped and created: "
        else:
            for column in was_there[relation.name] - there[relation.name]:
                yield _gone_column(oid, f"{relation.name}.{column}", before, after)


def _gone(oid: int, relation: Relation, before: Catalogue, after: Catalogue) -> Found:
    if oid in after.relations:
        return "rename", relation.name, f"it becomes {after.relations[oid].name}: "
    if relation.kind not in TABLES:
        return "drop-object", relation.name, ""
    created = sorted(
        each.name
        for oid, each in after.relations.items()
        if oid not in before.relations and each.kind in TABLES
    )
    if created:
        return "lost-rename", relation.name, f"it is dropped, {', '.join(created)} created: "
    return "drop-table", relation.name, ""


def _gone_column(oid: int, subject: str, before: Catalogue, after: Catalogue) -> Found:
    name = subject.rpartition(".")[2]
    numbers = {n for (o, n), column in before.columns.items() if o == oid and column.name == name}
    for each in numbers:
        if (oid, each) in after.columns:
            return "rename", subject, f"it becomes {after.columns[oid, each].name}: "
    added = sorted(
        column.name
        for (o, n), column in after.columns.items()
        if o == oid and (o, n) not in before.columns
    )
    if added:
        return "lost-rename", subject, f"it is dropped, {', '.join(added)} added: "
    return "drop-column", subject, ""


def _columns(before: Catalogue, after: Catalogue) -> Iterator[Found]:
    for (oid, number), column in after.columns.items():
        relation = before.relations.get(oid)
        if relation is None or relation.kind not in TABLES or not column.is_required:
            continue
        was, subject = before.columns.get((oid, number)), f"{relation.name}.{column.name}"
        if was is None and not column.has_default:
            yield "required-column", subject, ""
        elif was is not None and was.has_default and not column.has_default:
            yield "drop-default", subject, ""


def _uniqueness(before: Catalogue, after: Catalogue) -> Iterator[Found]:
    kept = {(each.relation, each.covers) for each in after.indexes.values() if each.is_unique}
    for index in before.indexes.values():
        columns = {(index.relation, number) for number in index.columns if number}
        is_there = index.relation in after.relations and columns <= after.columns.keys()
        if index.is_unique and is_there and (index.relation, index.covers) not in kept:
            yield "drop-unique", index.name, ""


def _objects(before: Catalogue, after: Catalogue) -> Iterator[Found]:
    """The type of a column that is dropped goes with it."""
    is_smaller = before.columns.keys() - after.columns.keys()
    for kind, name in sorted(before.objects - after.objects):
        if kind != "type" or not is_smaller:
            yield "drop-object", name, f"the {kind} is dropped or renamed: "


def _labels(before: Catalogue, after: Catalogue) -> Iterator[Found]:
    there, types = set(after.labels.values()), {kind for kind, _ in after.labels.values()}
    for oid, (kind, label) in before.labels.items():
        if kind in types and (kind, label) not in there:
            if oid in after.labels:
                yield "rename", f"{kind}.{label}", f"it becomes {after.labels[oid][1]}: "
            else:
                yield "drop-object", f"{kind}.{label}", "the label is taken away: "
