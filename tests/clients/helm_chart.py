"""Helm's own engine without its program: {"do": "lint" or "render", "chart", "values"} on standard input.

`values` is a YAML text. Prints the manifests, or what lint says; ends with exit code 1 and the error if Helm refuses.
"""

import json
import sys

import helm_python
import yaml
from helm_python.chart import Chart, lint

told = json.load(sys.stdin)
values = yaml.safe_load(told["values"])
try:
    if told["do"] == "lint":
        report = lint(told["chart"], values=values, strict=True)
        problems = [each["error"] for each in report["messages"] if each["severity"] >= 2] + report[
            "errors"
        ]  # a warning
        if problems or report["total_charts_linted"] != 1:
            sys.exit("\n".join(problems) or "no chart was linted")
    else:
        found = Chart.load(told["chart"]).render(
            values, name="touchline", namespace="default", is_install=True
        )
        print("\n---\n".join(text for path, text in sorted(found.items()) if path.endswith(".yaml")))
except helm_python.HelmError as error:
    sys.exit(str(error))
