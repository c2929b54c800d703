"""Reads kplan's JUnit with readers of Python: the standard parser, junitparser, and the schema of
Jenkins' xunit plugin. Usage: check.py DIRECTORY [SCHEMA]"""

import pathlib
import re
import sys
import xml.etree.ElementTree

import junitparser
import lxml.etree

# Kinds of run, and what each must show: tests, failures, errors, skipped.
EXPECTED = {
    "passing": (10, 0, 0, 0),
    "failing": (10, 1, 0, 0),
    "broken": (10, 0, 1, 8),
    "killed": (11, 0, 2, 5),
    "interrupted": (12, 0, 3, 5),
    "outage": (30, 1, 0, 0),
    "flaky": (10, 0, 0, 9),
}
RFC3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d\d:\d\d")

wrong = []


def expect(holds, what):
    if not holds:
        wrong.append(what)


def by_tree(name, path):
    root = xml.etree.ElementTree.parse(path).getroot()
    cases = list(root.iter("testcase"))
    keys = [(case.get("classname"), case.get("name")) for case in cases]
    expect(len(keys) == len(set(keys)), f"{name}: names are not unique")
    for case in cases:
        expect(re.fullmatch(r"\d+\.\d{3}", case.get("time") or ""), f"{name}: time {case.get('time')}")
        stamp = case.get("timestamp")
        expect(stamp is None or RFC3339.fullmatch(stamp), f"{name}: timestamp {stamp}")
        if case.get("name") != "the run":
            expect(case.get("file") and int(case.get("line")) > 0, f"{name}: no file and line")
        for kind in ("failure", "error", "skipped"):
            for told in case.iter(kind):
                message, body = told.get("message"), told.text or ""
                # A message of several lines is one line as an attribute; its beginning is in both.
                begin = message.split("; ")[0].rstrip("…")[:40].strip()
                expect(begin in " ".join(body.split()), f"{name}: {begin!r} is not in the body")
    counts = [sum(int(suite.get(kind)) for suite in root) for kind in ("tests", "failures", "errors", "skipped")]
    expect(counts == [int(root.get(k)) for k in ("tests", "failures", "errors", "skipped")], f"{name}: {counts}")
    return tuple(counts)


def by_junitparser(name, path):
    parsed = junitparser.JUnitXml.fromfile(str(path))
    count = [0, 0, 0, 0]
    for suite in parsed:
        for case in suite:
            results = case.result
            count[0] += 1
            for at, kind in ((1, junitparser.Failure), (2, junitparser.Error), (3, junitparser.Skipped)):
                found = [r for r in results if isinstance(r, kind)]
                count[at] += len(found)
                expect(all(r.message for r in found), f"{name}: junitparser sees no message")
    if name == "outage":
        properties = {p.name: p.value for suite in parsed for p in suite.properties() if suite.name.find("0.10") > 0}
        expect((properties["lost"], properties["acked"]) == ("36", "25312"), f"{name}: {properties}")
    return tuple(count)


def by_schema(path, schema):
    """The strict form, as it is. Readers without a schema want more than the schema allows (a case's
    file and line, say), so the common form has that."""
    rules = lxml.etree.XMLSchema(file=schema)
    strict = path.parent.with_name("junit-strict") / path.name
    # huge_tree: the schema is asked, not lxml's own limits.
    document = lxml.etree.parse(str(strict), lxml.etree.XMLParser(huge_tree=True))
    expect(rules.validate(document), f"{strict}: {rules.error_log.last_error}")
    cases = [[case.get("classname"), case.get("name")] for case in document.iter("testcase")]
    common = lxml.etree.parse(str(path), lxml.etree.XMLParser(huge_tree=True))
    same = [[case.get("classname"), case.get("name")] for case in common.iter("testcase")]
    expect(cases == same, f"{strict}: not the cases of the common form")


def main(directory, schema):
    files = sorted(pathlib.Path(directory).glob("*.xml"))
    expect({f.stem for f in files} >= EXPECTED.keys(), f"kinds of run: {[f.stem for f in files]}")
    for path in files:
        for reader in (by_tree, by_junitparser):
            counts = reader(path.stem, path)
            wanted = EXPECTED.get(path.stem, counts)
            expect(counts == wanted, f"{path.stem}: {reader.__name__} counts {counts}, wanted {wanted}")
        if schema:
            by_schema(path, schema)
    for line in wrong:
        print(f"wrong: {line}", file=sys.stderr)
    against = "with" if schema else "without"
    print(f"readers of Python: {len(files)} files, {against} the schema, {len(wrong)} wrong")
    return 1 if wrong or not files else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else None))
