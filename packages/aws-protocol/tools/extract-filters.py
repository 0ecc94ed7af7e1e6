"""Extracts the filter names that AWS documents for each EC2 describe from botocore's service model, into
packages/ec2-api/models/ec2-filters.json: {"source", "filters": {Action: [name, ...]}}.

Run by hand when the models are renewed: /usr/bin/python3 extract-filters.py
The names stand in the documentation of each action's `Filters` member as <li> <p> <code>name</code> - ...
"""

import json
import os
import re

import botocore
import botocore.loaders

ITEM = re.compile(r"<li>\s*<p>\s*<code>([^<]+)</code>(?:\s*\|\s*<code>([^<]+)</code>)?")


def main():
    model = botocore.loaders.create_loader().load_service_model("ec2", "service-2", "2016-11-15")
    found = {}
    for action, operation in sorted(model["operations"].items()):
        shape = model["shapes"].get(operation.get("input", {}).get("shape", ""), {})
        for member, reference in shape.get("members", {}).items():
            if reference["shape"] != "FilterList" or member not in ("Filters", "Filter"):
                continue
            text = reference.get("documentation", "")
            # A filter may be followed by its values in a list of their own, inside its parenthesis.
            names = [name for pair in ITEM.findall(text) for name in pair if name]
            names = [re.sub(r"^tag(:.*)?$", "tag:KEY", name) for name in names]
            found[action] = sorted(set(names))
    here = os.path.dirname(os.path.abspath(__file__))
    path = os.path.join(here, "..", "..", "ec2-api", "models", "ec2-filters.json")
    with open(path, "w", encoding="utf-8") as file:
        json.dump({"source": f"botocore {botocore.__version__}", "filters": found}, file, indent=1)
        file.write("\n")


main()
