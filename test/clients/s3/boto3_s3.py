"""Debian's boto3: transfers in parts, conditions, forms, locks, encryption by the client's key, paginators."""

import hashlib
import os
import urllib.request

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import ClientError

from tools import BUCKET, CA, FOLDER, TLS, URL, done, file, step, sum_of

s3 = boto3.client("s3", region_name="us-east-1", endpoint_url=URL, verify=CA if TLS else None)
hosted = boto3.client(
    "s3",
    region_name="us-east-1",
    endpoint_url=URL,
    verify=CA if TLS else None,
    config=Config(signature_version="s3v4", s3={"addressing_style": "path"}),
)


def refused(code, call, **more):
    try:
        call(**more)
        raise SystemExit(f"not refused: {code}")
    except ClientError as error:
        assert error.response["Error"]["Code"] == code, error


step("bucket")
s3.create_bucket(Bucket=BUCKET, ObjectLockEnabledForBucket=True)
s3.get_waiter("bucket_exists").wait(Bucket=BUCKET, WaiterConfig={"Delay": 1, "MaxAttempts": 5})

step("parts side by side")
big = file("big", 30 << 20)
config = TransferConfig(multipart_threshold=5 << 20, multipart_chunksize=5 << 20, max_concurrency=4)
s3.upload_file(str(big), BUCKET, "big", Config=config, ExtraArgs={"ChecksumAlgorithm": "SHA256"})
s3.download_file(BUCKET, "big", str(FOLDER / "big.back"), Config=config)
assert sum_of(big) == sum_of(FOLDER / "big.back")
part = s3.get_object(Bucket=BUCKET, Key="big", PartNumber=2)
assert part["PartsCount"] == 6 and part["ContentLength"] == 5 << 20

step("pages")
for number in range(25):
    s3.put_object(Bucket=BUCKET, Key=f"page/{number % 5}/{number:02d} é", Body=b"x")
pages = s3.get_paginator("list_objects_v2").paginate(
    Bucket=BUCKET, Prefix="page/", PaginationConfig={"PageSize": 4}
)
assert len([one for page in pages for one in page.get("Contents", [])]) == 25
folded = s3.list_objects_v2(Bucket=BUCKET, Prefix="page/", Delimiter="/")
assert [one["Prefix"] for one in folded["CommonPrefixes"]] == [f"page/{number}/" for number in range(5)]

step("forms")
form = hosted.generate_presigned_post(
    BUCKET, "form/${filename}", Fields={"acl": "private"}, Conditions=[{"acl": "private"}], ExpiresIn=60
)
boundary = "mallee-boundary"
body = b"".join(
    f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
    for name, value in form["fields"].items()
)
body += f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\nby form\r\n--{boundary}--\r\n'.encode()
request = urllib.request.Request(
    form["url"], data=body, headers={"Content-Type": f"multipart/form-data; boundary={boundary}"}
)
import ssl  # noqa: E402

context = ssl.create_default_context(cafile=CA) if TLS else None
assert urllib.request.urlopen(request, context=context).status == 204
assert s3.get_object(Bucket=BUCKET, Key="form/a.txt")["Body"].read() == b"by form"

step("keys of the client")
key = os.urandom(32)
sealed = dict(SSECustomerAlgorithm="AES256", SSECustomerKey=key)
s3.put_object(Bucket=BUCKET, Key="sealed", Body=b"secret", **sealed)
refused("400", s3.head_object, Bucket=BUCKET, Key="sealed")
assert s3.get_object(Bucket=BUCKET, Key="sealed", **sealed)["Body"].read() == b"secret"

step("locks")
version = s3.put_object(Bucket=BUCKET, Key="held", Body=b"x", ObjectLockLegalHoldStatus="ON")["VersionId"]
refused("AccessDenied", s3.delete_object, Bucket=BUCKET, Key="held", VersionId=version)
s3.put_object_legal_hold(Bucket=BUCKET, Key="held", LegalHold={"Status": "OFF"})

step("digests")
wrong = hashlib.md5(b"other").digest()
import base64  # noqa: E402

refused("BadDigest", s3.put_object, Bucket=BUCKET, Key="d", Body=b"x", ContentMD5=base64.b64encode(wrong).decode())

step("nothing is left")
resource = boto3.resource("s3", region_name="us-east-1", endpoint_url=URL, verify=CA if TLS else None)
resource.Bucket(BUCKET).object_versions.delete()
s3.delete_bucket(Bucket=BUCKET)
done()
