"""Debian's boto3 with the EBS direct APIs: snapshots written and read block by block, on real volumes."""

import base64
import hashlib
import os

import boto3
from botocore.exceptions import ClientError

from flow import CA, HOST, NAME, PORT, TLS, step, until

BLOCK = 524288
options = dict(
    region_name="us-east-1",
    endpoint_url=f"{'https' if TLS else 'http'}://{HOST}:{PORT}",
    verify=CA if TLS else None,
)
ebs = boto3.client("ebs", **options)
ec2 = boto3.client("ec2", **options)


def digest(data):
    return hashlib.sha256(data).digest()


def text(data):
    return base64.b64encode(data).decode()


def put(snapshot, index, data, **changes):
    return ebs.put_snapshot_block(
        **{
            "SnapshotId": snapshot,
            "BlockIndex": index,
            "BlockData": data,
            "DataLength": len(data),
            "Checksum": text(digest(data)),
            "ChecksumAlgorithm": "SHA256",
            **changes,
        }
    )


def refused(code, reason, ask):
    try:
        ask()
    except ClientError as error:
        assert error.response["Error"]["Code"] == code, error
        assert error.response.get("Reason") == reason, error.response
        return
    raise SystemExit(f"not refused with {code} {reason}")


def complete(snapshot, blocks):
    aggregate = digest(b"".join(digest(blocks[index]) for index in sorted(blocks)))
    answer = ebs.complete_snapshot(
        SnapshotId=snapshot,
        ChangedBlocksCount=len(blocks),
        Checksum=text(aggregate),
        ChecksumAlgorithm="SHA256",
        ChecksumAggregationMethod="LINEAR",
    )
    assert answer["Status"] in ("pending", "completed"), answer
    wait(snapshot)


def wait(snapshot):
    ec2.get_waiter("snapshot_completed").wait(SnapshotIds=[snapshot], WaiterConfig={"Delay": 1, "MaxAttempts": 60})


def blocks_of(snapshot):
    read, token = {}, {}
    while True:
        page = ebs.list_snapshot_blocks(SnapshotId=snapshot, MaxResults=100, **token)
        assert page["BlockSize"] == BLOCK and page["VolumeSize"] == 1, page
        for block in page["Blocks"]:
            read[block["BlockIndex"]] = get(snapshot, block["BlockIndex"], block["BlockToken"])
        if not page.get("NextToken"):
            return read
        token = {"NextToken": page["NextToken"]}


def get(snapshot, index, token):
    answer = ebs.get_snapshot_block(SnapshotId=snapshot, BlockIndex=index, BlockToken=token)
    data = answer["BlockData"].read()
    assert answer["DataLength"] == len(data) == BLOCK
    assert answer["Checksum"] == text(digest(data)), "a block does not have its checksum"
    return data


step("a snapshot is written")
wish = dict(
    VolumeSize=1,
    Description="from boto3",
    Tags=[{"Key": "flow", "Value": NAME}],
    ClientToken=f"ebs-{NAME}",
    Timeout=10,
)
started = ebs.start_snapshot(**wish)
first = started["SnapshotId"]
assert started["Status"] == "pending" and started["BlockSize"] == BLOCK, started
assert ebs.start_snapshot(**wish)["SnapshotId"] == first, "the token started two"
refused("ConflictException", None, lambda: ebs.start_snapshot(**{**wish, "VolumeSize": 2}))
written = {0: os.urandom(BLOCK), 1: os.urandom(BLOCK), 900: os.urandom(BLOCK), 2047: b"end".ljust(BLOCK, b".")}
for index, data in written.items():
    put(first, index, data, Progress=10)
put(first, 1, written[900])
put(first, 1, written[1])
refused(
    "ValidationException",
    "INVALID_PARAMETER_VALUE",
    lambda: put(first, 5, written[0], Checksum=text(digest(b"another"))),
)
refused("ValidationException", "INVALID_BLOCK", lambda: put(first, 2048, written[0]))
refused("ValidationException", "INVALID_SNAPSHOT_ID", lambda: ebs.list_snapshot_blocks(SnapshotId=first))
complete(first, written)
refused("ValidationException", "INVALID_SNAPSHOT_ID", lambda: put(first, 5, written[0]))
refused(
    "ValidationException",
    "INVALID_SNAPSHOT_ID",
    lambda: ebs.complete_snapshot(SnapshotId=first, ChangedBlocksCount=4),
)
shown = ec2.describe_snapshots(SnapshotIds=[first])["Snapshots"][0]
assert (shown["State"], shown["VolumeSize"], shown["Description"]) == ("completed", 1, "from boto3"), shown
assert shown["Tags"] == [{"Key": "flow", "Value": NAME}], shown

step("and read, by itself and as what a volume made of it holds")
assert blocks_of(first) == written
volume = ec2.create_volume(AvailabilityZone="us-east-1a", SnapshotId=first)["VolumeId"]
ec2.get_waiter("volume_available").wait(VolumeIds=[volume], WaiterConfig={"Delay": 1, "MaxAttempts": 60})
taken = ec2.create_snapshot(VolumeId=volume)["SnapshotId"]
wait(taken)
assert blocks_of(taken) == written
assert ebs.list_changed_blocks(FirstSnapshotId=first, SecondSnapshotId=taken)["ChangedBlocks"] == []

step("one on top of it has what changed")
second = ebs.start_snapshot(VolumeSize=1, ParentSnapshotId=first)["SnapshotId"]
changes = {1: os.urandom(BLOCK), 2: os.urandom(BLOCK), 900: bytes(BLOCK)}
for index, data in changes.items():
    put(second, index, data)
complete(second, changes)
found = ebs.list_changed_blocks(FirstSnapshotId=first, SecondSnapshotId=second)["ChangedBlocks"]
assert [block["BlockIndex"] for block in found] == [1, 2, 900], found
for block in found:
    index = block["BlockIndex"]
    assert get(second, index, block["SecondBlockToken"]) == changes[index]
    if index in written:
        assert get(first, index, block["FirstBlockToken"]) == written[index]
    else:
        assert "FirstBlockToken" not in block
assert blocks_of(second) == {0: written[0], 1: changes[1], 2: changes[2], 2047: written[2047]}

step("tokens fit one block of one snapshot")
tokens = {block["BlockIndex"]: block["BlockToken"] for block in ebs.list_snapshot_blocks(SnapshotId=first)["Blocks"]}
for snapshot, index, token in (
    (first, 1, tokens[0]),
    (second, 0, tokens[0]),
    (first, 0, tokens[0][:-4] + "AAAA"),
    (first, 0, "AAAA"),
):
    refused(
        "ValidationException",
        "INVALID_BLOCK_TOKEN",
        lambda: ebs.get_snapshot_block(SnapshotId=snapshot, BlockIndex=index, BlockToken=token),
    )
refused(
    "ValidationException",
    "INVALID_PAGE_TOKEN",
    lambda: ebs.list_snapshot_blocks(SnapshotId=first, NextToken=tokens[0]),
)
refused(
    "ResourceNotFoundException",
    "SNAPSHOT_NOT_FOUND",
    lambda: ebs.list_snapshot_blocks(SnapshotId="snap-0123456789abcdef0"),
)

step("what is not as it is said is in error")
wrong = ebs.start_snapshot(VolumeSize=1)["SnapshotId"]
put(wrong, 0, written[0])
refused(
    "ValidationException",
    "INVALID_PARAMETER_VALUE",
    lambda: ebs.complete_snapshot(SnapshotId=wrong, ChangedBlocksCount=2),
)
shown = ec2.describe_snapshots(SnapshotIds=[wrong])["Snapshots"][0]
assert shown["State"] == "error" and "ChangedBlocksCount" in shown["StateMessage"], shown
refused(
    "ValidationException",
    "INVALID_CUSTOMER_KEY",
    lambda: ebs.start_snapshot(
        VolumeSize=1, Encrypted=True, KmsKeyArn="arn:aws:kms:us-east-1:123456789012:key/1"
    ),
)
given_up = ebs.start_snapshot(VolumeSize=1)["SnapshotId"]
put(given_up, 3, written[0])

step("an encrypted one is given in plain to its owner")
sealed = ebs.start_snapshot(VolumeSize=1, Encrypted=True)["SnapshotId"]
hidden = {5: os.urandom(BLOCK), 6: b"hidden".ljust(BLOCK, b".")}
for index, data in hidden.items():
    put(sealed, index, data)
complete(sealed, hidden)
assert ec2.describe_snapshots(SnapshotIds=[sealed])["Snapshots"][0]["Encrypted"] is True
assert blocks_of(sealed) == hidden, "the blocks are not those that were written"

step("everything goes")
ec2.delete_volume(VolumeId=volume)
for snapshot in (first, second, taken, wrong, given_up, sealed):
    ec2.delete_snapshot(SnapshotId=snapshot)


def is_gone():
    try:
        put(given_up, 4, written[0])
    except ClientError as error:
        # While walrus hears of it, a write that was begun before is told that it came too late.
        assert error.response.get("Reason") in ("SNAPSHOT_NOT_FOUND", "INVALID_SNAPSHOT_ID"), error
        return error.response["Error"]["Code"] == "ResourceNotFoundException"


until("what was being written is gone", is_gone, 30)
step("done")
