"""Debian's aws: sync, 100 MiB in parts, presigned addresses, versions, policies."""

import json
import ssl
import urllib.error
import urllib.request

from tools import BUCKET, CA, FOLDER, TLS, URL, done, file, run, same, step, sum_of, tree


def aws(*words, **options):
    return run("aws", "--endpoint-url", URL, "--region", "us-east-1", *words, **options)


def api(*words, **options):
    text = aws("s3api", *words, "--output", "json", **options)
    return json.loads(text) if text.strip() else {}


step("bucket")
aws("s3", "mb", f"s3://{BUCKET}")

step("sync")
up = tree("up", 300)
aws("s3", "sync", up, f"s3://{BUCKET}/tree", "--only-show-errors")
aws("s3", "sync", f"s3://{BUCKET}/tree", FOLDER / "down", "--only-show-errors")
same(up, FOLDER / "down")
assert aws("s3", "sync", up, f"s3://{BUCKET}/tree").strip() == "", "a second sync had something to do"
file("up/00/file-new.txt", 10)
assert aws("s3", "sync", up, f"s3://{BUCKET}/tree").count("upload:") == 1

step("100 MiB in parts")
big = file("big.bin", 100 << 20)
aws("s3", "cp", big, f"s3://{BUCKET}/big.bin", "--only-show-errors")
head = api("head-object", "--bucket", BUCKET, "--key", "big.bin")
assert head["ContentLength"] == 100 << 20 and "-" in head["ETag"], head
aws("s3", "cp", f"s3://{BUCKET}/big.bin", FOLDER / "big.back", "--only-show-errors")
assert sum_of(big) == sum_of(FOLDER / "big.back")
aws("s3", "cp", f"s3://{BUCKET}/big.bin", f"s3://{BUCKET}/big.copy", "--only-show-errors")
assert api("head-object", "--bucket", BUCKET, "--key", "big.copy")["ContentLength"] == 100 << 20

step("presigned")
context = ssl.create_default_context(cafile=CA) if TLS else None
address = aws("s3", "presign", f"s3://{BUCKET}/tree/00/file-new.txt").strip()
with urllib.request.urlopen(address, context=context) as answer:
    assert answer.read() == (up / "00/file-new.txt").read_bytes()
try:
    urllib.request.urlopen(address.replace("file-new", "file-old"), context=context)
    raise SystemExit("a presigned address opened another key")
except urllib.error.HTTPError as error:
    assert error.code == 403, error

step("versions")
api("put-bucket-versioning", "--bucket", BUCKET, "--versioning-configuration", "Status=Enabled")
first = api("put-object", "--bucket", BUCKET, "--key", "doc", "--body", file("one", 111))["VersionId"]
api("put-object", "--bucket", BUCKET, "--key", "doc", "--body", file("two", 222))
aws("s3", "rm", f"s3://{BUCKET}/doc")
listed = api("list-object-versions", "--bucket", BUCKET, "--prefix", "doc")
assert len(listed["Versions"]) == 2 and len(listed["DeleteMarkers"]) == 1, listed
api("copy-object", "--bucket", BUCKET, "--key", "doc", "--copy-source", f"{BUCKET}/doc?versionId={first}")
aws("s3", "cp", f"s3://{BUCKET}/doc", FOLDER / "one.back", "--only-show-errors")
assert sum_of(FOLDER / "one") == sum_of(FOLDER / "one.back")

step("policy and settings")
policy = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{BUCKET}/tree/*"}
    ],
}
api("put-bucket-policy", "--bucket", BUCKET, "--policy", json.dumps(policy))
with urllib.request.urlopen(f"{URL}/{BUCKET}/tree/00/file-new.txt", context=context) as answer:
    assert answer.status == 200
api("put-object-tagging", "--bucket", BUCKET, "--key", "doc", "--tagging", "TagSet=[{Key=a,Value=b}]")
assert api("get-object-tagging", "--bucket", BUCKET, "--key", "doc")["TagSet"] == [{"Key": "a", "Value": "b"}]
api("put-public-access-block", "--bucket", BUCKET, "--public-access-block-configuration", "RestrictPublicBuckets=true")
try:
    urllib.request.urlopen(f"{URL}/{BUCKET}/tree/00/file-new.txt", context=context)
    raise SystemExit("Block Public Access does not block")
except urllib.error.HTTPError as error:
    assert error.code == 403, error

step("nothing is left")
aws("s3", "rm", f"s3://{BUCKET}", "--recursive", "--only-show-errors")
assert "BucketNotEmpty" in run(
    "sh", "-c", f"aws --endpoint-url {URL} s3 rb s3://{BUCKET} 2>&1 || true"
)
listed = api("list-object-versions", "--bucket", BUCKET)
everything = [
    {"Key": one["Key"], "VersionId": one["VersionId"]}
    for one in listed.get("Versions", []) + listed.get("DeleteMarkers", [])
]
for at in range(0, len(everything), 1000):
    batch = FOLDER / "batch.json"
    batch.write_text(json.dumps({"Objects": everything[at : at + 1000], "Quiet": True}))
    api("delete-objects", "--bucket", BUCKET, "--delete", f"file://{batch}")
aws("s3", "rb", f"s3://{BUCKET}")
done()
