"""What the flows of S3's tools share: their folder, files with known contents, and programs run to their end."""

import hashlib
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

from flow import CA, HOST, KEY_ID, NAME, PORT, SECRET, TLS, step  # noqa: E402

URL = f"{'https' if TLS else 'http'}://{HOST}:{PORT}"
BUCKET = f"s3-{NAME}".lower()
FOLDER = pathlib.Path(tempfile.mkdtemp(prefix="mallee-s3-"))


def run(*words, fails=False, **options):
    outcome = subprocess.run(
        [str(word) for word in words], capture_output=True, text=True, timeout=120, **options
    )
    if (outcome.returncode != 0) != fails:
        sys.exit(f"{' '.join(map(str, words))}\nended with {outcome.returncode}\n{outcome.stdout}\n{outcome.stderr}")
    return outcome.stdout


def file(name, size):
    """A file of that many bytes that do not compress and are the same in every run."""
    path = FOLDER / name
    path.parent.mkdir(parents=True, exist_ok=True)
    block = hashlib.shake_256(name.encode()).digest(min(size, 1 << 20) or 1)
    with open(path, "wb") as out:
        left = size
        while left > 0:
            out.write(block[:left])
            left -= min(left, len(block))
    return path


def tree(name, count, size=300):
    """A folder of small files, some of them with names that must be escaped."""
    for number in range(count):
        odd = " +é&%41" if number % 50 == 0 else ""
        file(f"{name}/{number % 17:02d}/file{odd}-{number:04d}.txt", size + number % 700)
    return FOLDER / name


def same(left, right):
    def sums(root):
        return {
            str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(root.rglob("*"))
            if path.is_file()
        }

    found, wanted = sums(pathlib.Path(right)), sums(pathlib.Path(left))
    assert found == wanted, f"{len(wanted)} files went, {len(found)} came, first difference: " + str(
        next(iter(set(found.items()) ^ set(wanted.items())), None)
    )


def sum_of(path):
    return hashlib.sha256(pathlib.Path(path).read_bytes()).hexdigest()


def done():
    shutil.rmtree(FOLDER, ignore_errors=True)
    step("done")


__all__ = [
    "BUCKET", "CA", "FOLDER", "HOST", "KEY_ID", "NAME", "PORT", "SECRET", "TLS", "URL",
    "done", "file", "run", "same", "step", "sum_of", "tree",
]  # fmt: skip
