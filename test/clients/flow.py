"""What every Python client does here: the steps of one user's day, in that client's own words.

The environment says where the cloud is (MALLEE_HOST, MALLEE_PORT, MALLEE_TLS=1 with MALLEE_CA), and what is there:
MALLEE_IMAGE_LOCATION, the bucket and key of a bootable disk. A step prints its name; the first that fails ends the
program with its trace."""

import os
import sys
import time

HOST = os.environ["MALLEE_HOST"]
PORT = int(os.environ["MALLEE_PORT"])
TLS = os.environ.get("MALLEE_TLS") == "1"
CA = os.environ.get("MALLEE_CA")
KEY_ID = os.environ["AWS_ACCESS_KEY_ID"]
SECRET = os.environ["AWS_SECRET_ACCESS_KEY"]
LOCATION = os.environ["MALLEE_IMAGE_LOCATION"]
NAME = os.environ["MALLEE_FLOW"]


def step(name):
    print("step", name, flush=True)


def until(what, ask, seconds=90):
    deadline = time.time() + seconds
    while True:
        answer = ask()
        if answer:
            return answer
        if time.time() > deadline:
            sys.exit(f"not within {seconds} s: {what}")
        time.sleep(0.3)
