"""s3cmd: put, sync, signed addresses, ACLs, tags, multipart."""

import os

from tools import BUCKET, CA, FOLDER, HOST, KEY_ID, PORT, SECRET, TLS, done, file, run, same, step, sum_of, tree

config = FOLDER / "s3cfg"
config.write_text(
    f"""[default]
access_key = {KEY_ID}
secret_key = {SECRET}
host_base = {HOST}:{PORT}
host_bucket = {HOST}:{PORT}
use_https = {TLS}
ca_certs_file = {CA or ''}
bucket_location = US
multipart_chunk_size_mb = 5
"""
)
os.chmod(config, 0o600)


def s3cmd(*words, **options):
    return run("s3cmd", "-c", config, "--no-progress", *words, **options)


step("bucket")
s3cmd("mb", f"s3://{BUCKET}")
assert f"s3://{BUCKET}" in s3cmd("ls")

step("sync")
up = tree("up", 60)
s3cmd("sync", f"{up}/", f"s3://{BUCKET}/tree/")
(FOLDER / "down").mkdir()
s3cmd("sync", f"s3://{BUCKET}/tree/", f"{FOLDER / 'down'}/")
same(up, FOLDER / "down")

step("parts")
big = file("big", 12 << 20)
s3cmd("put", big, f"s3://{BUCKET}/big")
s3cmd("get", f"s3://{BUCKET}/big", FOLDER / "big.back")
assert sum_of(big) == sum_of(FOLDER / "big.back")

step("settings")
s3cmd("setacl", "--acl-public", f"s3://{BUCKET}/big")
assert "*anon*" in s3cmd("info", f"s3://{BUCKET}/big")
s3cmd("cp", f"s3://{BUCKET}/big", f"s3://{BUCKET}/copy")
s3cmd("mv", f"s3://{BUCKET}/copy", f"s3://{BUCKET}/moved")
s3cmd("modify", "--add-header=x-amz-meta-a: b", f"s3://{BUCKET}/moved")
assert "tree" in s3cmd("du", f"s3://{BUCKET}/tree/")

step("nothing is left")
s3cmd("del", "--recursive", "--force", f"s3://{BUCKET}/")
s3cmd("rb", f"s3://{BUCKET}")
done()
