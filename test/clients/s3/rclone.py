"""rclone: sync of thousands of keys, check, server-side copy, a file that streams in."""

from tools import BUCKET, CA, FOLDER, KEY_ID, SECRET, TLS, URL, done, file, run, same, step, sum_of, tree

import os  # noqa: E402

environment = {
    **{name: value for name, value in os.environ.items() if name != "AWS_CA_BUNDLE"},  # rclone has its own
    "RCLONE_CONFIG": str(FOLDER / "none.conf"),
    "RCLONE_CONFIG_M_TYPE": "s3",
    "RCLONE_CONFIG_M_PROVIDER": "Other",
    "RCLONE_CONFIG_M_ENDPOINT": URL,
    "RCLONE_CONFIG_M_ACCESS_KEY_ID": KEY_ID,
    "RCLONE_CONFIG_M_SECRET_ACCESS_KEY": SECRET,
    "RCLONE_CONFIG_M_REGION": "us-east-1",
    **({"RCLONE_CA_CERT": CA} if TLS else {}),
}


def rclone(*words, **options):
    return run("rclone", "--retries", "1", *words, env=environment, **options)


step("bucket")
rclone("mkdir", f"m:{BUCKET}")

step("thousands of keys")
up = tree("up", 2000, size=20)
rclone("sync", up, f"m:{BUCKET}/tree", "--transfers", "16", "--checkers", "16")
rclone("check", up, f"m:{BUCKET}/tree", "--checkers", "16")
rclone("sync", f"m:{BUCKET}/tree", FOLDER / "down", "--transfers", "16", "--checkers", "16")
same(up, FOLDER / "down")
assert "2000" in rclone("size", f"m:{BUCKET}/tree")

step("parts and copies")
big = file("big", 60 << 20)
rclone("copyto", big, f"m:{BUCKET}/big", "--s3-upload-cutoff", "10M", "--s3-chunk-size", "8M")
rclone("copyto", f"m:{BUCKET}/big", f"m:{BUCKET}/copy", "--s3-copy-cutoff", "20M")
rclone("copyto", f"m:{BUCKET}/copy", FOLDER / "big.back")
assert sum_of(big) == sum_of(FOLDER / "big.back")
run("sh", "-c", f"printf streamed | rclone rcat m:{BUCKET}/stream", env=environment)
assert rclone("cat", f"m:{BUCKET}/stream") == "streamed"

step("nothing is left")
rclone("purge", f"m:{BUCKET}")
done()
