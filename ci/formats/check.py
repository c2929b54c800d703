"""Checks what kplan writes for machines, over every bad plan of the tests.
Usage: check.py KPLAN SARIF_SCHEMA_IN_GO RDJSON_SCHEMA"""

import json
import pathlib
import re
import subprocess
import sys

import jsonschema

ROOT = pathlib.Path(__file__).resolve().parents[2]
CASES = "dsl/tests/cases"

wrong = []


def expect(holds, what):
    if not holds:
        wrong.append(what)


def told(kplan, form):
    done = subprocess.run(
        [kplan, "check", CASES, "plans", "examples", "--format", form], cwd=ROOT, capture_output=True, check=False
    )
    expect(done.returncode == 2, f"{form}: exit status {done.returncode}: {done.stderr[-300:]}")
    return done.stdout.decode("utf-8")


def schema_in_go(path):
    """SARIF's schema stands in a Go file, between two backticks."""
    return json.loads(pathlib.Path(path).read_text().split("`")[1])


def by_schema(name, document, schema):
    validator = jsonschema.Draft4Validator(schema, format_checker=jsonschema.FormatChecker())
    for error in list(validator.iter_errors(document))[:5]:
        wrong.append(f"{name}: {error.message[:200]} at {list(error.path)}")


def unknown_keys(name, schema, document):
    """reviewdog's schema lets unknown keys pass; here they are mistakes."""
    definitions = schema["definitions"]

    def walk(value, definition):
        properties = definition.get("properties", {})
        for key, inner in value.items():
            expect(key in properties, f"{name}: unknown key {key}")
            below = properties.get(key, {})
            below = below.get("items", below)
            if "$ref" in below:
                below = definitions[below["$ref"].removeprefix("#/definitions/")]
            for each in inner if isinstance(inner, list) else [inner]:
                if isinstance(each, dict) and "properties" in below:
                    walk(each, below)

    walk(document, definitions["DiagnosticResult"])


def github(text):
    """The runner's own grammar: ::command key=value,...::message, one line each."""
    count = {"error": 0, "warning": 0, "notice": 0}
    for line in text.splitlines():
        found = re.fullmatch(r"::(error|warning|notice) ([^:]*)::(.*)", line)
        expect(found, f"github: {line[:200]}")
        if found:
            count[found[1]] += 1
            pairs = dict(pair.split("=", 1) for pair in found[2].split(","))
            expect(pairs.keys() <= {"file", "line", "endLine", "col", "endColumn", "title"}, f"github: {pairs}")
            if "file" in pairs:
                expect((ROOT / pairs["file"].replace("%25", "%")).exists(), f"github: no file {pairs['file']}")
    expect(count["error"] <= 10 and count["warning"] <= 10 and count["notice"] == 1, f"github: {count}")
    return sum(count.values())


def gitlab(issues):
    """The keys that GitLab's documentation of Code Quality asks for."""
    for issue in issues:
        for key in ("description", "check_name", "fingerprint", "severity"):
            expect(isinstance(issue.get(key), str) and issue[key], f"gitlab: {key} in {issue}")
        expect(issue["severity"] in ("info", "minor", "major", "critical", "blocker"), f"gitlab: {issue}")
        path = issue["location"]["path"]
        expect(not path.startswith(("./", "/")) and (ROOT / path).exists(), f"gitlab: {path}")
        expect(issue["location"]["lines"]["begin"] >= 1, f"gitlab: {issue}")
    prints = {issue["fingerprint"] for issue in issues}
    expect(len(prints) == len(issues), f"gitlab: {len(issues) - len(prints)} fingerprints twice")


def sarif(document):
    run = document["runs"][0]
    rules = run["tool"]["driver"]["rules"]
    for result in run["results"]:
        expect(rules[result["ruleIndex"]]["id"] == result["ruleId"], f"sarif: {result['ruleId']}")
        for place in result["locations"]:
            uri = place["physicalLocation"]["artifactLocation"]["uri"]
            expect(re.fullmatch(r"([A-Za-z0-9._~/-]|%[0-9A-F]{2})+", uri), f"sarif: {uri}")
            expect(not uri.startswith(("/", ".")), f"sarif: {uri}")
    return len(run["results"])


def main(kplan, sarif_schema, rdjson_schema):
    found = json.loads(told(kplan, "json"))["diagnostics"]
    expect(len(found) > 100, f"only {len(found)} diagnostics")
    report = json.loads(told(kplan, "sarif"))
    by_schema("sarif", report, schema_in_go(sarif_schema))
    rdjson = json.loads(told(kplan, "rdjson"))
    schema = json.loads(pathlib.Path(rdjson_schema).read_text())
    by_schema("rdjson", rdjson, schema)
    unknown_keys("rdjson", schema, rdjson)
    quality = json.loads(told(kplan, "gitlab"))
    gitlab(quality)
    annotations = github(told(kplan, "github"))
    counts = {len(found), sarif(report), len(rdjson["diagnostics"]), len(quality)}
    expect(len(counts) == 1, f"the formats tell different numbers of diagnostics: {counts}")
    for line in wrong[:20]:
        print(f"wrong: {line}", file=sys.stderr)
    print(f"formats: {len(found)} diagnostics in 5 formats, {annotations} annotations, {len(wrong)} wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
