#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Plays the conformance cases and says which hold; builds first if need be.

    testbed/conformance/run                    all of them
    testbed/conformance/run hops_zero rescue   cases, files or sources by name

One line for each case (pass, fail, or deviates: we do otherwise than the rule says, on purpose, and the case asserts what we
do), then a summary. The exit status is 0 only if no case failed."""

import argparse
import collections
import json
import os
import subprocess
import sys
import time

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.realpath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
DOC = os.path.join(ROOT, "docs", "conformance.md")

Case = collections.namedtuple("Case", "file source name verdict rule why")

TITLES = {
    "rfc3261_16": "RFC 3261 §16: requests through a proxy",
    "rfc3261_16_responses": "RFC 3261 §16.7 to §16.9: responses through a proxy",
    "rfc3261_16_best": "RFC 3261 §16.7: the best of several responses",
    "rfc3261_16_cancel": "RFC 3261 §16.10 to §16.12: CANCEL, and forwarding without a transaction",
    "rfc3261_17_client": "RFC 3261 §17.1: client transactions",
    "rfc3261_17_server": "RFC 3261 §17.2: server transactions",
    "rfc3261_18": "RFC 3261 §18: transport",
    "rfc3581": "RFC 3581: symmetric response routing",
    "rfc4320": "RFC 4320: non-INVITE transactions",
    "rfc5393": "RFC 5393: loops and Max-Breadth",
    "rfc5658": "RFC 5658: double Record-Route",
    "rfc6026": "RFC 6026: the Accepted states",
    "streams": "Over TCP, and between TCP and UDP",
    "stream_calls": "Calls over TCP, and between TCP and UDP",
    "rfc5630": "By TLS, and sips URIs (RFC 5630)",
    "large": "RFC 3261 §18.1.1: large requests",
    "routing": "Who may call, and where to first",
    "rescue": "What moves a call on",
    "ringing": "Simultaneous ring and CANCEL",
    "dialogs": "Requests within dialogs",
    "tokens": "Our Record-Route's token",
    "torture_own": "Hard messages of our own: lines, lists and sizes",
    "torture_values": "Hard messages of our own: start lines, numbers, URIs, names and addresses",
    "torture": "The messages of RFC 4475 and RFC 5118",
}

INTRODUCTION = """\
<!-- SPDX-License-Identifier: Apache-2.0 -->
<!-- Written by testbed/conformance/run --write-doc; a test compares it with what the cases say. -->
# Conformance

One case for each rule, played against the proxy's own code with scripted messages and a scripted clock: `testbed/conformance/run`.
**pass**: we follow the rule. **deviates**: we do otherwise on purpose; the case asserts what we do, and the reason stands below.
A part of them runs through a real port as well (`testbed/integration/test_conformance.py`), random events are held against the
same properties (`testbed/conformance/random.c`), and `testbed/conformance/mutants` shows that breaking a rule in the code makes a case fail.
"""


def program(given):
    """The path of the built program."""
    if given:
        return os.path.abspath(given)
    sys.path.insert(0, os.path.join(ROOT, "testbed", "lib"))
    from building import build, configure  # here, so that the test run needs none of it
    try:
        configure("build", (), sys.stderr)
        build("build", targets=["testbed/conformance/conformance"], log=sys.stderr)
    except subprocess.CalledProcessError as error:
        sys.exit(f"conformance: it does not build: {error}")
    return os.path.join(ROOT, "build", "testbed", "conformance", "conformance")


def play(argv):
    """The cases as they are played, one by one; then the program's exit status."""
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, errors="replace") as process:
        for line in process.stdout:
            yield Case(*line.rstrip("\n").split("\t"))
    if process.returncode not in (0, 1):
        sys.exit(f"conformance: {argv[0]} ended with {process.returncode}")


def document(cases):
    """The text of docs/conformance.md. A case that was skipped stands with the verdict that it has where it can be played."""
    if left_out := {case.file for case in cases} - set(TITLES):
        sys.exit(f"conformance: no title for {', '.join(sorted(left_out))}: their cases would not stand in docs/conformance.md")
    lines = [INTRODUCTION]
    verdicts = {case.name: case.verdict if case.verdict != "skipped" else "deviates" if case.why else "pass" for case in cases}
    count = collections.Counter(verdicts[case.name] for case in cases)
    lines.append(f"{len(cases)} cases: {count['pass']} pass, {count['deviates']} deviate, {count['fail']} fail.\n")
    lines.append("## Where we deviate\n")
    lines.append("| rule | what we do, and why | case |\n|---|---|---|")
    lines += [f"| {escape(rule(case))} | {escape(case.why)} | `{case.name}` |" for case in cases if verdicts[case.name] == "deviates"]
    for file, title in TITLES.items():
        lines.append(f"\n## {title}\n\n| rule | case | verdict |\n|---|---|---|")
        lines += [f"| {escape(rule(case))} | `{case.name}` | {verdicts[case.name]} |" for case in cases if case.file == file]
    return "\n".join(lines) + "\n"


def rule(case):
    """The rule with its document's name in front where it does not name one itself."""
    if case.source.startswith("rfc") and not case.rule.startswith("RFC"):
        return f"RFC {case.source[3:]} {case.rule}"
    return case.rule


def escape(text):
    return text.replace("|", "\\|").replace("<", "&lt;")


def check_doc(text):
    """Is the committed document what the cases say?"""
    try:
        with open(DOC, encoding="utf-8") as file:
            written = file.read()
    except FileNotFoundError:
        written = ""
    if written == text:
        return True
    print("docs/conformance.md is not what the cases say: testbed/conformance/run --write-doc")
    return False


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="cases, files or sources")
    parser.add_argument("--json", metavar="FILE", help="write the verdicts there as well")
    parser.add_argument("--write-doc", action="store_true", help="write docs/conformance.md")
    parser.add_argument("--check-doc", action="store_true", help="fail where docs/conformance.md is not up to date")
    parser.add_argument("--program", help="a program that is already built")
    parser.add_argument("--quiet", action="store_true", help="only what failed, and the summary")
    options = parser.parse_args()
    if options.names and (options.write_doc or options.check_doc):
        parser.error("the document is about all cases")

    begin = time.monotonic()
    cases, seen = [], set()
    for case in play([program(options.program), *options.names]):
        if case.name in seen:
            sys.exit(f"conformance: two cases are called {case.name}")
        seen.add(case.name)
        cases.append(case)
        if case.verdict != "skipped" and (case.verdict == "fail" or not options.quiet):
            words = f": {case.why}" if case.verdict == "fail" else ""
            print(f"{case.verdict:8} {case.file}/{case.name}{words}", flush=True)
    if not cases:
        sys.exit(f"conformance: no case, file or source is called {' or '.join(options.names)}")
    count = collections.Counter(case.verdict for case in cases)
    if count["skipped"]:
        print(f"{count['skipped']} messages of RFC 4475 and RFC 5118 skipped: no folder of them (set STROWGER_TORTURE)")
    print(f"{len(cases)} cases: {count['pass']} pass, {count['deviates']} deviate, {count['fail']} fail, "
          f"{count['skipped']} skipped, {time.monotonic() - begin:.1f} s")
    if options.json:
        played = [case for case in cases if case.verdict != "skipped"]
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump({"cases": [{"name": case.name, "rule": rule(case), "source": case.source, "verdict": case.verdict,
                                  "why": case.why} for case in played]}, file, indent=1, ensure_ascii=False)
            file.write("\n")
    good = not count["fail"]
    if options.write_doc:
        with open(DOC, "w", encoding="utf-8") as file:
            file.write(document(cases))
    if options.check_doc and not count["fail"]:
        good = check_doc(document(cases)) and good
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
