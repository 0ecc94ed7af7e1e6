"""restic: backup, check of all data, forget and prune, restore."""

import os

from tools import BUCKET, CA, FOLDER, TLS, URL, done, file, run, same, step, tree

environment = {
    **os.environ,
    "RESTIC_REPOSITORY": f"s3:{URL}/{BUCKET}/repository",
    "RESTIC_PASSWORD": "not a secret",
    "RESTIC_CACHE_DIR": str(FOLDER / "cache"),
}


def restic(*words):
    return run("restic", *(["--cacert", CA] if TLS else []), *words, env=environment)


step("repository")
restic("init")

step("backup")
up = tree("up", 200)
file("up/big", 20 << 20)
restic("backup", up)
file("up/more", 1 << 20)
restic("backup", up)

step("check")
restic("check", "--read-data")
restic("forget", "--keep-last", "1", "--prune")

step("restore")
restic("restore", "latest", "--target", FOLDER / "back")
same(up, FOLDER / "back" / str(up).lstrip("/"))

step("nothing is left")
aws = ["aws", "--endpoint-url", URL, "--region", "us-east-1"]
run(*aws, "s3", "rb", "--force", f"s3://{BUCKET}")
done()
