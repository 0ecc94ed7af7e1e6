"""s3fs: a bucket mounted as a folder, and the hourly backup that scripts make into it."""

import os
import subprocess
import sys
import time

from tools import BUCKET, CA, FOLDER, KEY_ID, SECRET, TLS, URL, done, run, same, step, tree

try:
    os.close(os.open("/dev/fuse", os.O_RDWR))
except OSError as error:
    print(f"SKIPPED: FUSE cannot be used here ({error.strerror})")
    done()
    sys.exit(0)

aws = ["aws", "--endpoint-url", URL, "--region", "us-east-1"]
step("bucket")
run(*aws, "s3", "mb", f"s3://{BUCKET}")
secret = FOLDER / "passwd"
secret.write_text(f"{KEY_ID}:{SECRET}\n")
secret.chmod(0o600)
mount = FOLDER / "mount"
mount.mkdir()

step("mount")
options = ["-o", f"passwd_file={secret},url={URL},use_path_request_style,endpoint=us-east-1,sigv4"]
environment = {**os.environ, **({"CURL_CA_BUNDLE": CA} if TLS else {})}
server = subprocess.Popen(["s3fs", BUCKET, str(mount), "-f", *options], env=environment)
try:
    deadline = time.time() + 30
    while not os.path.ismount(mount):
        assert server.poll() is None and time.time() < deadline, "it was not mounted"
        time.sleep(0.1)

    step("hourly backup")
    up = tree("up", 40)
    for hour in range(2):
        run("tar", "-czf", mount / f"backup-{hour}.tar.gz", "-C", up, ".")
    (FOLDER / "back").mkdir()
    run("tar", "-xzf", mount / "backup-1.tar.gz", "-C", FOLDER / "back")
    same(up, FOLDER / "back")
    (mount / "folder").mkdir()
    (mount / "folder" / "note").write_text("a note\n")
    (mount / "folder" / "note").rename(mount / "folder" / "renamed")
    assert (mount / "folder" / "renamed").read_text() == "a note\n"
    (mount / "backup-0.tar.gz").unlink()
    listed = run(*aws, "s3", "ls", f"s3://{BUCKET}", "--recursive")
    assert "backup-1.tar.gz" in listed and "backup-0" not in listed and "folder/renamed" in listed, listed
finally:
    subprocess.run(["umount", str(mount)], check=False)
    server.wait(timeout=30)

step("nothing is left")
run(*aws, "s3", "rb", "--force", f"s3://{BUCKET}")
done()
