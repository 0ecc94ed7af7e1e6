"""Extracts what the AWS SDK for JavaScript's schemas leave out (integer or double, enum values, lengths,
ranges, patterns) from botocore's service models, into constraints/<service>.json beside this file.

Run by hand when the models are renewed: /usr/bin/python3 extract-constraints.py
The result is committed, so that `npm run gen:models` needs no botocore.

Format: {"source", "members": {Struct: {Member: Shape}}, "items": {List: Shape},
"simple": {Shape: {"type", "enum"?, "min"?, "max"?, "pattern"?}}, "lists": {List: {"min"?, "max"?}}}.
Only what leads to a number or a constraint is kept.
"""

import json
import os

import botocore
import botocore.loaders

SERVICES = {
    "ebs": "2019-11-02",
    "ec2": "2016-11-15",
    "iam": "2010-05-08",
    "sts": "2011-06-15",
    "s3": "2006-03-01",
}
NUMERIC = {"integer", "long", "float", "double"}


def constraints_of(service, version):
    shapes = botocore.loaders.create_loader().load_service_model(service, "service-2", version)["shapes"]
    out = {"source": f"botocore {botocore.__version__}", "members": {}, "items": {}, "simple": {}, "lists": {}}

    def interesting(name, depth=0):
        shape = shapes[name]
        kind = shape["type"]
        if kind == "structure" or depth > 4:
            return False
        limits = {key: shape[key] for key in ("enum", "min", "max", "pattern") if key in shape}
        if kind == "list":
            item = shape["member"]["shape"]
            deep = interesting(item, depth + 1)
            if deep:
                out["items"][name] = item
            if limits:
                out["lists"][name] = limits
            return deep or bool(limits)
        if kind == "map":
            return False
        if kind in NUMERIC or limits:
            out["simple"][name] = {"type": kind, **limits}
            return True
        return False

    for name, shape in sorted(shapes.items()):
        if shape["type"] != "structure":
            continue
        members = {m: ref["shape"] for m, ref in shape.get("members", {}).items() if interesting(ref["shape"])}
        if members:
            out["members"][name] = members
    return out


def main():
    here = os.path.join(os.path.dirname(os.path.abspath(__file__)), "constraints")
    for service, version in SERVICES.items():
        with open(os.path.join(here, f"{service}.json"), "w", encoding="utf-8") as file:
            json.dump(constraints_of(service, version), file, sort_keys=True, separators=(",", ":"))
            file.write("\n")


main()
