"""Random signed EC2 requests, made by botocore: its serializer for the parameters, its signers for the signature.

usage: generate.py SEED COUNT

Reads one line first, what our newer model knows: {"required", "unions"} as ../botocore/oracle.py has it, and the names
of its "operations". Then writes COUNT JSON
lines {"operation", "value", "method", "path", "query", "headers", "body", "now", "keyId", "secret", "token"}: what goes
over the wire, the clock at which it arrives (milliseconds), and the parameters that it must be decoded to. A line with
"refused" is signed as well as any, but its parameters are to be refused by one of these codes.

The same SEED gives the same lines.
"""

import datetime
import hashlib
import json
import os
import random
import string
import sys
from urllib.parse import quote

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "botocore"))
sys.dont_write_bytecode = True

import botocore.auth
import botocore.awsrequest
import botocore.credentials
import botocore.loaders
import botocore.model
import botocore.serialize

from oracle import ODD, matches, tagged, text_for

PATHS = [
    "/", "/", "/", "/services/compute", "/services/compute/", "/services/Eucalyptus", "//services//Cloud/",
    "/./services/../services/compute", "/services/a%20b/c", "/services/%C3%A9/~x", "/a+b/%2Fc", "/x/*/'()!",
]
HOSTS = ["ec2.us-east-1.amazonaws.com", "localhost", "10.0.0.7", "compute.cloud.example", "UPPER.example", "a-b.c"]
REGIONS = ["us-east-1", "eu-west-3", "0", "moon.base-1", "us-gov-west-1"]
SERVICES = ["ec2", "ec2", "ec2", "127", "compute", "monitoring"]
HOSTILE = [
    ODD, "", " ", "+", "a+b c", "%20", "100%", "a=b&c=d", "é", "😀", "\u007f\u0085", "\r\n\t", "ab\u0301", "\u2028\ufeff",
    "*", "~'()!*", "/../..", "?#[]@", "\\", "\"<&>'", "__proto__", "X-Amz-Signature=0", "%C3%28", "Ａ", "z" * 300,
]
BLANKS = [" ", "  ", "\t", " \t "]
EPOCH = datetime.datetime(1970, 1, 1)
LETTERS = string.ascii_letters + string.digits


class Clock(datetime.datetime):
    """What botocore's signers take for now."""

    instant = EPOCH

    @classmethod
    def utcnow(cls):
        return cls.instant


class DatetimeModule:
    datetime = Clock


botocore.auth.datetime = DatetimeModule


class Parameters:
    """Random values of a shape that keep to its constraints; what would come out empty is left out."""

    def __init__(self, rng, facts):
        self.rng = rng
        self.required = facts["required"]
        self.unions = facts["unions"]
        self.left = 0

    def structure(self, shape, stack=()):
        rng = self.rng
        if not stack:
            self.left = rng.choice((2, 5, 9, 30))
        out = {}
        members = list(shape.members.items())
        rng.shuffle(members)
        required = {*shape.required_members, *self.required.get(shape.name, ())}
        union = shape.name in self.unions
        members.sort(key=lambda member: member[0] not in required)
        for name, member in members:
            if name not in required and (self.left <= 0 or (len(out) > 0 and rng.random() < 0.4)):
                continue
            value = self.value(member, (*stack, shape.name))
            if value is not None:
                out[name] = value
                if union:
                    break
        missing = required - set(out)
        return None if missing or (stack and not out) else out

    def value(self, shape, stack):
        kind = shape.type_name
        if stack.count(shape.name) > 1 or len(stack) > 9:
            return None
        if kind == "structure":
            return self.structure(shape, stack)
        if kind == "list":
            low, high = shape.metadata.get("min", 1), shape.metadata.get("max", 1 << 20)
            count = min(max(self.rng.choice((1, 1, 2, 3, 12)), low), high)
            found = [self.value(shape.member, (*stack, shape.name)) for _ in range(count)]
            return None if any(item is None for item in found) else found
        self.left -= 1
        return self.scalar(shape)

    def scalar(self, shape):
        rng, kind, meta = self.rng, shape.type_name, shape.metadata
        if kind == "string":
            return self.text(shape)
        if kind in ("integer", "long"):
            top = (1 << 31) - 1 if kind == "integer" else (1 << 53) - 1
            low, high = max(int(meta.get("min", -top)), -top), min(int(meta.get("max", top)), top)
            return rng.choice((low, high, rng.randint(low, high)))
        if kind in ("float", "double"):
            return round(rng.uniform(max(float(meta.get("min", 0)), 0), min(float(meta.get("max", 1000)), 1000)), 3)
        if kind == "boolean":
            return rng.random() < 0.5
        if kind == "timestamp":
            instant = datetime.datetime.fromtimestamp(rng.randint(0, 4102444800), datetime.timezone.utc)
            return instant.replace(microsecond=rng.choice((0, 0, 1000, 999000)))
        if kind == "blob":
            return rng.randbytes(rng.choice((0, 1, 2, 3, 64, 1000)))
        return None

    def text(self, shape):
        rng, meta = self.rng, shape.metadata
        if meta.get("enum"):
            return rng.choice(meta["enum"])
        text = rng.choice(HOSTILE) if rng.random() < 0.5 else "".join(rng.choices(LETTERS, k=rng.randint(1, 20)))
        if rng.random() < 0.005:
            text *= 50
        fits = meta.get("min", 0) <= len(text) <= meta.get("max", 1 << 20)
        if fits and ("pattern" not in meta or matches(meta["pattern"], text)):
            return text
        return text_for(shape, rng.randrange(5))


class Spelling:
    """The same pairs in other words: order, repetition, gaps in lists, and every way to encode a character."""

    def __init__(self, rng):
        self.rng = rng

    def pairs(self, form):
        rng = self.rng
        scale, shift = rng.choice(((1, 0), (1, 0), (1, 3), (7, 0), (2, 90)))
        pairs = [(renumbered(key, scale, shift), str(value)) for key, value in form.items()]
        if rng.random() < 0.5:
            rng.shuffle(pairs)
        if rng.random() < 0.1:
            pairs.insert(rng.randrange(len(pairs) + 1), rng.choice(pairs))
        return pairs

    def form(self, pairs, style, query):
        """`query`: a part of what is signed, so that nothing may be added to it."""
        out = []
        for key, value in pairs:
            if value == "" and style != "plain" and self.rng.random() < 0.5:
                out.append(self.text(key, style, query))
            else:
                out.append(f"{self.text(key, style, query)}={self.text(value, style, query)}")
        if style != "plain" and not query and self.rng.random() < 0.2:
            out.insert(self.rng.randrange(len(out) + 1), "")
        return "&".join(out)

    def text(self, text, style, query):
        plain = quote(text, safe="-_.~")
        if style == "plain":
            return plain
        if style == "plus":
            return plain.replace("%20", "+")
        if style == "lower":
            return "".join(part if index % 2 == 0 else part.lower() for index, part in enumerate(escapes(plain)))
        if style == "over":
            return "".join(f"%{ord(c):02X}" if c in LETTERS and self.rng.random() < 0.3 else c for c in plain) \
                if "%" not in plain else plain
        return quote(text, safe="-_.~:/,@*()!'$;?" + ("" if query else " é😀"))


def escapes(text):
    """Text and percent escapes in turn."""
    out, rest = [], text
    while "%" in rest:
        at = rest.index("%")
        out += [rest[:at], rest[at:at + 3]]
        rest = rest[at + 3:]
    return [*out, rest]


def renumbered(key, scale, shift):
    return ".".join(str(int(part) * scale + shift) if part.isdigit() else part for part in key.split("."))


def random_case(rng, name):
    return rng.choice((name, name.lower(), name.upper(), name.title()))


STYLES = ("plain", "plain", "plus", "lower", "over", "bare")


def spoil(rng, pairs, required):
    """Parameters that no server may take; the codes that it may refuse them by."""
    kind = rng.randrange(5)
    if kind == 0:
        return [*pairs, ("NoSuchMember." + "x" * rng.randint(1, 9), "1")], ["UnknownParameter"]
    if kind == 1:
        key, value = rng.choice(pairs)
        return [*pairs, (key, value + "x")], ["InvalidParameterValue"]
    if kind == 2:
        return [*pairs, ("A." * rng.randint(16, 60) + "b", "1")], ["MalformedQueryString"]
    if kind == 3 and required:
        gone = rng.choice(required)
        kept = [pair for pair in pairs if pair[0].split(".")[0] != gone]
        return kept, ["MissingParameter"]
    return [*pairs, ("Action", "NoSuchThing")], ["InvalidParameterValue"]


class Generator:
    def __init__(self, seed, facts):
        self.rng = random.Random(seed)
        data = botocore.loaders.create_loader().load_service_model("ec2", "service-2", "2016-11-15")
        self.model = botocore.model.ServiceModel(data, "ec2")
        self.names = [name for name in self.model.operation_names if self.model.operation_model(name).input_shape]
        known = {*facts["operations"]}
        self.names = [name for name in self.names if name in known]
        self.serializer = botocore.serialize.create_serializer("ec2", include_validation=False)
        self.parameters = Parameters(self.rng, facts)
        self.spelling = Spelling(self.rng)
        self.keys = [
            botocore.credentials.Credentials(f"AKIA{index:016d}", "".join(self.rng.choices(LETTERS + "/+", k=40)))
            for index in range(20)
        ]

    def line(self):
        rng = self.rng
        value = None
        while value is None:
            operation = self.model.operation_model(rng.choice(self.names))
            value = self.parameters.structure(operation.input_shape)
        form = dict(self.serializer.serialize_to_request(value, operation)["body"])
        pairs = self.spelling.pairs(form)
        refused = None
        if rng.random() < 0.08:
            pairs, refused = spoil(rng, pairs, self.required_names(operation.input_shape))
        out = self.signed(pairs)
        out["operation"] = operation.name
        if refused:
            out["refused"] = refused
        else:
            out["value"] = tagged(value)
        return out

    def required_names(self, shape):
        """By our model, on the wire; tokens that clients fill in are not missed."""
        names = []
        for key in self.parameters.required.get(shape.name, ()):
            member = shape.members[key]
            place = member.serialization
            if not member.metadata.get("idempotencyToken"):
                names.append(place.get("queryName") or capital(place.get("name", key)))
        return sorted(names)

    def signed(self, pairs):
        rng = self.rng
        key = rng.choice(self.keys)
        token = "".join(rng.choices(LETTERS + "/+=", k=60)) if rng.random() < 0.15 else None
        credentials = botocore.credentials.Credentials(key.access_key, key.secret_key, token)
        instant = EPOCH + datetime.timedelta(seconds=rng.randint(1577836800, 1893456000))
        Clock.instant = Clock(*instant.timetuple()[:6])
        host = rng.choice(HOSTS) + rng.choice(("", "", f":{rng.randint(1, 65535)}"))
        scope = (rng.choice(SERVICES), rng.choice(REGIONS))
        path = rng.choice(PATHS)
        make = self.presigned if rng.random() < 0.3 else self.in_header
        method, query, headers, body, life = make(pairs, host, path, credentials, scope)
        late = rng.choice((0, 0, 1, life, -900, rng.randint(-900, life)))
        return {
            "method": method, "path": path, "query": query, "headers": headers, "body": body,
            "now": int((instant - EPOCH).total_seconds() + late) * 1000,
            "keyId": key.access_key, "secret": key.secret_key, "token": token,
        }

    def in_header(self, pairs, host, path, credentials, scope):
        rng, style = self.rng, self.rng.choice(STYLES)
        shape = rng.choice(("body", "body", "query", "both", "empty-post"))
        split = {"body": 0, "query": len(pairs), "both": rng.randint(0, len(pairs)), "empty-post": len(pairs)}[shape]
        method = "GET" if shape == "query" else "POST"
        in_query, in_body = pairs[:split], pairs[split:]
        body = self.spelling.form(in_body, style, query=False)
        headers = self.headers(host, body if method == "POST" else None)
        request = botocore.awsrequest.AWSRequest(
            method=method, url=f"http://{host}{path}", params=in_query, data=body.encode(), headers=dict(headers))
        service, region = scope
        botocore.auth.SigV4Auth(credentials, service, region).add_auth(request)
        query = self.spelling.form(in_query, style, query=True)
        return method, query, self.wire(request), body, 900

    def presigned(self, pairs, host, path, credentials, scope):
        rng = self.rng
        life = rng.choice((1, 60, 900, 3600, 604800))
        method = rng.choice(("GET", "GET", "POST"))
        in_query = dict(pairs)  # botocore keeps one of each name
        headers = self.headers(host, None)
        request = botocore.awsrequest.AWSRequest(
            method=method, url=f"http://{host}{path}", params=in_query, headers=dict(headers))
        if len(in_query) < len({*pairs}):
            return self.in_header(pairs, host, path, credentials, scope)
        service, region = scope
        botocore.auth.SigV4QueryAuth(credentials, service, region, expires=life).add_auth(request)
        own = request.url[request.url.index("X-Amz-Algorithm="):] if in_query else request.url.split("?", 1)[1]
        style = rng.choice(STYLES)
        parts = [self.spelling.form(pairs, style, query=True), own] if len(pairs) == len(in_query) else \
            [self.spelling.form(list(in_query.items()), style, query=True), own]
        if rng.random() < 0.3:
            parts.reverse()
        return method, "&".join(part for part in parts if part), self.wire(request), "", life

    def headers(self, host, body):
        rng = self.rng
        headers = []
        if rng.random() < 0.7:
            headers.append(("Host", host))
        if body is not None:
            kind = "application/x-www-form-urlencoded"
            headers.append(("Content-Type", rng.choice((kind, f"{kind}; charset=utf-8", f"{kind};  charset=UTF-8 "))))
            if rng.random() < 0.1:
                headers.append(("X-Amz-Content-SHA256", hashlib.sha256(body.encode()).hexdigest()))
            if rng.random() < 0.1:
                headers.append(("Date", "to be set"))
        for index in range(rng.choice((0, 0, 1, 3))):
            words = ["".join(rng.choices(LETTERS + ",;=\"'", k=rng.randint(1, 8))) for _ in range(rng.randint(1, 4))]
            blank = rng.choice(BLANKS)
            headers.append((f"X-Custom-{index}", rng.choice(("", blank)) + blank.join(words) + rng.choice(("", blank))))
        if rng.random() < 0.5:
            headers.append(("User-Agent", "Boto3/1.26 " + str(rng.random())))
        rng.shuffle(headers)
        return [(random_case(rng, name), value) for name, value in headers]

    def wire(self, request):
        sent = [[name, value] for name, value in request.headers.items()]
        if not any(name.lower() == "host" for name, _ in sent):
            sent.append(["Host", botocore.auth._host_from_url(request.url)])
        return sent


def capital(name):
    return name[0].upper() + name[1:]


def main():
    seed, count = int(sys.argv[1]), int(sys.argv[2])
    generator = Generator(seed, json.loads(sys.stdin.readline()))
    write = sys.stdout.write
    for _ in range(count):
        write(json.dumps(generator.line(), ensure_ascii=True) + "\n")
    sys.stdout.flush()


main()
