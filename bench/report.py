# SPDX-License-Identifier: MIT
"""Markdown tables of results: per cell median [min-max] of each suite, and the ratio of the medians."""
import collections
import statistics

OURS, REFERENCE = "postern", "postfix"


def number(value):
    return "%.3g" % value if abs(value) < 1000 else "%.0f" % value


def spread(values):
    values = sorted(v for v in values if v is not None)
    if not values:
        return "-"
    if values[0] == values[-1]:
        return number(values[0])
    return f"{number(statistics.median(values))} [{number(values[0])}-{number(values[-1])}]"


def median(rows, field):
    values = [r[field] for r in rows if r.get(field) is not None]
    return statistics.median(values) if values else None


def ratio(ours, theirs):
    return f"{ours / theirs:.3g}" if ours is not None and theirs else "-"


def grouped(rows, keys):
    """{values of KEYS: {suite: rows}}, in the order of the rows"""
    groups = collections.OrderedDict()
    for row in rows:
        by_suite = groups.setdefault(tuple(row.get(k) for k in keys), collections.OrderedDict())
        by_suite.setdefault(row["sut"], []).append(row)
    return groups


def markdown(head, lines):
    text = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join(text + ["| " + " | ".join(map(str, line)) + " |" for line in lines]) + "\n"


def runs(*suites):
    rows = [r for s in suites for r in s]
    lost = sum(r.get("complete") is False for r in rows)
    return "/".join(str(len(s)) for s in suites) + (f", {lost} INCOMPLETE" if lost else "")


def each(rows, keys, fields):
    """One line per cell, nothing compared; KEYS and FIELDS as for compare()."""
    lines = []
    for cell, suites in grouped(rows, list(keys)).items():
        found = [r for s in suites.values() for r in s]
        lines.append([*cell, *(spread(r.get(f) for r in found) for f in fields), runs(found)])
    return markdown([*keys.values(), *fields.values(), "runs"], lines)


def compare(rows, keys, fields):
    """KEYS name the cell: {field: heading}. FIELDS are compared: {field: heading}. Says how many runs there were
    and whether anything went wrong (a row with "complete": False)."""
    head = list(keys.values())
    for title in fields.values():
        head += [f"{title}: {OURS}", REFERENCE, "ratio"]
    head += ["runs"]
    lines = []
    for cell, suites in grouped(rows, list(keys)).items():
        ours, theirs = suites.get(OURS, []), suites.get(REFERENCE, [])
        line = list(cell)
        for field in fields:
            line += [spread(r.get(field) for r in ours), spread(r.get(field) for r in theirs),
                     ratio(median(ours, field), median(theirs, field))]
        lines.append([*line, runs(ours, theirs)])
    return markdown(head, lines)


def test(rows, *names):
    return [r for r in rows if r.get("test") in names]
