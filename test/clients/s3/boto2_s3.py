"""Debian's boto 2.49, the older signature of S3: what scripts of the Eucalyptus era do."""

import io

import boto
from boto.s3.connection import OrdinaryCallingFormat, S3Connection
from boto.s3.key import Key

from tools import BUCKET, CA, HOST, KEY_ID, PORT, SECRET, TLS, done, step

for name, value in (("ca_certificates_file", CA or ""), ("https_validate_certificates", "True")):
    if not boto.config.has_section("Boto"):
        boto.config.add_section("Boto")
    boto.config.set("Boto", name, value)
s3 = S3Connection(
    KEY_ID,
    SECRET,
    host=HOST,
    port=PORT,
    is_secure=TLS,
    path="/services/objectstorage",
    calling_format=OrdinaryCallingFormat(),
)

step("bucket")
bucket = s3.create_bucket(BUCKET)
assert BUCKET in [one.name for one in s3.get_all_buckets()]

step("objects")
key = Key(bucket, "a folder/é+x")
key.set_metadata("color", "blue")
key.set_contents_from_string("written by boto", policy="private")
assert bucket.get_key("a folder/é+x").get_metadata("color") == "blue"
assert key.get_contents_as_string() == b"written by boto"
assert [one.name for one in bucket.list(prefix="a folder/")] == ["a folder/é+x"]

step("presigned")
address = key.generate_url(60, query_auth=True)
import ssl  # noqa: E402
import urllib.request  # noqa: E402

context = ssl.create_default_context(cafile=CA) if TLS else None
assert urllib.request.urlopen(address, context=context).read() == b"written by boto"

step("parts")
upload = bucket.initiate_multipart_upload("parts")
upload.upload_part_from_file(io.BytesIO(b"x" * (5 << 20)), 1)
upload.upload_part_from_file(io.BytesIO(b"end"), 2)
upload.complete_upload()
assert bucket.get_key("parts").size == (5 << 20) + 3

step("access")
key.set_acl("public-read")
assert any(grant.permission == "READ" and grant.uri for grant in key.get_acl().acl.grants)
bucket.configure_versioning(True)
Key(bucket, "v").set_contents_from_string("1")
Key(bucket, "v").set_contents_from_string("2")
assert len(list(bucket.list_versions(prefix="v"))) == 2

step("nothing is left")
bucket.delete_keys([(one.name, one.version_id) for one in bucket.list_versions()])
bucket.delete()
done()
