#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Add up the JUnit files and steps of a test run; the last line is "N passed, N failed"."""
import pathlib
import sys
import xml.etree.ElementTree as ET


def outcome(case):
    if case.get("status") in ("notrun", "disabled") or case.find("skipped") is not None:
        return "skipped"
    bad = case.find("failure") is not None or case.find("error") is not None
    return "failed" if bad or case.get("status") == "fail" else "passed"


def main():
    folder = pathlib.Path(sys.argv[1])
    count = {"passed": 0, "failed": 0, "skipped": 0}
    for report in sorted(folder.glob("*.xml")):
        for case in ET.parse(report).getroot().iter("testcase"):
            result = outcome(case)
            count[result] += 1
            if result != "passed":
                print(f"{result}: {report.stem}: {case.get('classname')}.{case.get('name')}")
    steps = folder / "steps"
    for line in steps.read_text().splitlines() if steps.exists() else []:
        name, result = line.split()
        count["passed" if result == "pass" else "failed"] += 1
        if result != "pass":
            print(f"failed: {name}")
    if count["skipped"]:
        print(f"{count['skipped']} skipped (see above for the reasons)")
    print(f"{count['passed']} passed, {count['failed']} failed")
    return 1 if count["failed"] or not count["passed"] else 0


if __name__ == "__main__":
    sys.exit(main())
