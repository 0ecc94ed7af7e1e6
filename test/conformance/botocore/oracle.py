"""botocore as the oracle of our query protocols. One process, JSON lines.

usage: oracle.py SERVICE VERSION MODE...

Reads one line first: {"required": {Struct: [members]}, "unions": [Struct]}, what our newer model knows beyond
botocore's: "half" keeps what is required, and of a union one member is given.
Then writes one line {"kind": "input", "operation", "form" or "request", "value"} and {"kind": "output", "operation", "value"} per
operation of botocore's model, every member of every shape filled in ("full", with bounded recursion) or each second
one ("half"); then {"kind": "asked"}. Then reads lines {"operation", "mode", "xml"} and answers each with {"kind": "parsed",
"operation", "same", "difference"}: botocore's parse of our XML against the value it had asked for.

Dates are {"$date": milliseconds}, bytes {"$bytes": base64}.
"""

import base64
import datetime
import json
import re
import sys
from urllib.parse import urlencode

import botocore
import botocore.awsrequest
import botocore.loaders
import botocore.model
import botocore.parsers
import botocore.serialize

TEXTS = [
    "aA1",
    "10.0.0.0/16",
    "abcdefghijklmnopqrst",
    "123456789012",
    "arn:aws:iam::123456789012:role/name",
    "lt-0123456789abcdef0",
    "us-east-1",
    "arn:aws:outposts:us-east-1:123456789012:outpost/op-0123456789abcdef0",
    "arn:aws:ec2:us-east-1:123456789012:placement-group/some",
    "/",
    "/a/",
    "123456",
    "i-0123456789abcdef0",
    "v1",
    "o-0123456789",
    "arn:aws:kms:us-east-1:123456789012:key/01234567-0123-0123-0123-0123456789ab",
    "arn:aws:ec2:us-east-1:123456789012:placement-group/pg-0123456789abcdef0",
    "arn:aws:secretsmanager:us-east-1:123456789012:secret:some-a1b2c3",
    "/bucket/key",
    "p-0123456789",
    "o-0123456789/r-01234/ou-0",
    "&ab",
    "https://a.example/b/c",
    "a" * 64,
    "1234567890123456789012345678901234567890",
    "P1D",
    "0",
]
ODD = "é😀 <&>\"' +%41;\tx\n/=~*()"


# Python's re has no Unicode properties; these stand in for them, for our plain candidates.
CLASSES = {r"\p{L}": "a-zA-Z", r"\p{Z}": " ", r"\p{N}": "0-9", r"\p{M}": "", r"\p{S}": "+", r"\p{P}": "/"}


def matches(pattern, text):
    for name, stand_in in CLASSES.items():
        pattern = pattern.replace(name, stand_in)
    try:
        return re.fullmatch(pattern, text)
    except re.error:
        return None


def text_for(shape, seed, plain=False):
    """A string the shape admits, or None where none of ours does. `plain`: fit for a header."""
    meta = shape.metadata
    if meta.get("enum"):
        return meta["enum"][seed % len(meta["enum"])]
    low, high = meta.get("min", 0), meta.get("max", 1 << 20)
    candidates = TEXTS if plain else [f"{ODD} {shape.name} {seed}", *TEXTS]
    candidates = list(candidates)
    candidates.append("x" * max(low, 1))
    for text in candidates:
        if not low <= len(text) <= high:
            continue
        if "pattern" not in meta or matches(meta["pattern"], text):
            return text
    return None


class Synthesis:
    """A value of a shape; `stack` bounds shapes that contain themselves."""

    def __init__(self, mode, facts):
        self.mode = mode
        self.required = facts["required"]
        self.unions = facts["unions"]
        self.members = 0
        self.omitted = []

    def value(self, shape, stack=(), seed=0, plain=False):
        kind = shape.type_name
        if kind == "structure":
            return self.structure(shape, stack, seed)
        if kind == "list":
            if stack.count(shape.name) > 1:
                return None
            count = min(max(2, shape.metadata.get("min", 0)), shape.metadata.get("max", 2))
            found = [self.value(shape.member, (*stack, shape.name), seed + n, plain) for n in range(count)]
            return None if any(item is None for item in found) else found
        if kind == "map":
            key = text_for(shape.key, seed, plain)
            key = key.lower() if key and plain else key
            item = self.value(shape.value, (*stack, shape.name), seed, plain)
            return None if key is None or item is None else {key: item}
        return self.scalar(shape, seed, plain)

    def structure(self, shape, stack, seed):
        if stack.count(shape.name) > 1:
            return None
        out = {}
        required = {*shape.required_members, *self.required.get(shape.name, ())}
        for number, (name, member) in enumerate(shape.members.items()):
            if self.mode == "half" and number % 2 and name not in required:
                continue
            place = member.serialization
            if not stack and is_bytes(member, shape):
                continue
            plain = place.get("location") in ("header", "headers") or place.get("xmlAttribute", False)
            value = self.value(member, (*stack, shape.name), seed + number, plain)
            if value is None:
                self.omitted.append(f"{shape.name}.{name}")
                continue
            self.members += 1
            out[name] = value
            if shape.name in self.unions:
                break
        return out

    @staticmethod
    def scalar(shape, seed, plain):
        kind = shape.type_name
        low = shape.metadata.get("min", 0)
        if kind == "string":
            return text_for(shape, seed, plain)
        if kind == "integer":
            return int(low) + (seed % 2 if shape.metadata.get("max", 9) > low else 0)
        if kind == "long":
            return max(int(low), 9007199254740000 + seed) if "max" not in shape.metadata else int(low)
        if kind in ("float", "double"):
            return float(low) + 0.5
        if kind == "boolean":
            return seed % 2 == 0
        if kind == "timestamp":
            return datetime.datetime(2024, 2, 29, 23, 59, seed % 60, tzinfo=datetime.timezone.utc)
        if kind == "blob":
            return bytes([0, 255, 10, seed % 256])
        raise ValueError(kind)


def is_bytes(member, shape):
    """Object bytes, which pass the codec by; event streams too."""
    payload = shape.serialization.get("payload")
    streams = member.type_name == "blob" or member.serialization.get("eventstream")
    return payload is not None and shape.members.get(payload) is member and streams


def tagged(value):
    if isinstance(value, datetime.datetime):
        return {"$date": round(value.timestamp() * 1000)}
    if isinstance(value, (bytes, bytearray)):
        return {"$bytes": base64.b64encode(value).decode()}
    if isinstance(value, dict):
        return {key: tagged(item) for key, item in value.items()}
    if isinstance(value, list):
        return [tagged(item) for item in value]
    return value


def difference(path, want, got):
    if type(want) is not type(got):
        return f"{path}: {want!r:.200} became {got!r:.200}"
    if isinstance(want, dict):
        for key in [*want, *(key for key in got if key not in want)]:
            found = difference(f"{path}.{key}", want.get(key), got.get(key))
            if found:
                return found
        return None
    if isinstance(want, list):
        if len(want) != len(got):
            return f"{path}: {len(want)} items became {len(got)}"
        pairs = enumerate(zip(want, got))
        return next((d for i, (w, g) in pairs if (d := difference(f"{path}[{i}]", w, g))), None)
    return None if want == got else f"{path}: {want!r:.200} became {got!r:.200}"


def wire(request):
    """What of a serialised request goes to the other side: a form, or method, path, query, headers and body."""
    body = request["body"]
    if isinstance(body, dict) and request["url_path"] == "/" and not request["query_string"]:
        return {"form": urlencode(body)}
    query = request["query_string"] or {}
    query = urlencode(query, doseq=True) if isinstance(query, dict) else query
    text = body if isinstance(body, str) else bytes(body or b"").decode()
    return {"request": {"method": request["method"], "target": request["url_path"], "query": query,
                        "headers": {key: str(item) for key, item in request["headers"].items()}, "body": text}}


def say(**line):
    sys.stdout.write(json.dumps(line) + "\n")


def main():
    service, version, modes = sys.argv[1], sys.argv[2], sys.argv[3:]
    data = botocore.loaders.create_loader().load_service_model(service, "service-2", version)
    model = botocore.model.ServiceModel(data, service)
    serializer = botocore.serialize.create_serializer(model.metadata["protocol"], include_validation=True)
    parser = botocore.parsers.create_parser(model.metadata["protocol"])
    facts = json.loads(sys.stdin.readline())
    outputs = {}
    for mode in modes:
        for name in model.operation_names:
            operation = model.operation_model(name)
            made = Synthesis(mode, facts)
            value = made.value(operation.input_shape) if operation.input_shape else {}
            request = serializer.serialize_to_request(value, operation)
            say(kind="input", operation=name, mode=mode, value=tagged(value), members=made.members,
                omitted=made.omitted, **wire(request))
            made = Synthesis(mode, facts)
            value = made.value(operation.output_shape) if operation.output_shape else {}
            outputs[mode, name] = tagged(value)
            say(kind="output", operation=name, mode=mode, value=tagged(value), members=made.members,
                omitted=made.omitted)
    say(kind="asked", botocore=botocore.__version__)
    sys.stdout.flush()
    for line in sys.stdin:
        answer = json.loads(line)
        name, mode = answer["operation"], answer["mode"]
        headers = botocore.awsrequest.HeadersDict(answer.get("headers", {}))
        response = {"body": answer["xml"].encode(), "headers": headers, "status_code": answer.get("status", 200)}
        shape = model.operation_model(name).output_shape
        got = parser.parse(response, shape)
        got.pop("ResponseMetadata", None)
        for member in [m for m, s in (shape.members if shape else {}).items() if is_bytes(s, shape)]:
            got.pop(member, None)
        got = tagged(got)
        want = outputs[mode, name]
        # A list that is written empty, and not asked for, is our rule for containers.
        got = {key: item for key, item in got.items() if key in want or item not in ([], {})}
        say(kind="parsed", operation=name, mode=mode, difference=difference(name, want, got))


if __name__ == "__main__":
    main()
