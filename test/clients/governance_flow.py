"""Debian's boto3 and awscli on CloudTrail and Service Quotas: a call shows, its refusal shows, and a wish waits."""

import gzip
import json
import subprocess
import time

import boto3
from botocore.exceptions import ClientError

from flow import CA, HOST, NAME, PORT, TLS, step, until

url = f"{'https' if TLS else 'http'}://{HOST}:{PORT}"
options = dict(region_name="us-east-1", endpoint_url=url, verify=CA if TLS else None)
ec2 = boto3.client("ec2", **options)
trail = boto3.client("cloudtrail", **options)
quotas = boto3.client("service-quotas", **options)
s3 = boto3.client("s3", **options)
BUCKET = f"trail-of-{NAME}"
account = boto3.client("sts", **options).get_caller_identity()["Account"]


def found(key, value):
    events = trail.lookup_events(LookupAttributes=[{"AttributeKey": key, "AttributeValue": value}])["Events"]
    return [json.loads(event["CloudTrailEvent"]) for event in events]


def refused(code, call, **parameters):
    try:
        call(**parameters)
    except ClientError as error:
        assert error.response["Error"]["Code"] == code, error
        return
    raise AssertionError(f"{code} was expected")


step("a call is in the trail")
pair = ec2.create_key_pair(KeyName=NAME)["KeyPairId"]
(made,) = found("ResourceName", pair)
assert made["eventName"] == "CreateKeyPair" and made["recipientAccountId"] == account
assert made["userIdentity"]["accountId"] == account and made["requestParameters"] == {"keyName": NAME}
assert made["sourceIPAddress"] == "127.0.0.1" and ("tlsDetails" in made) == TLS

step("and so is one that is refused")
missing = "i-0123456789abcdef0"
refused("InvalidInstanceID.NotFound", ec2.terminate_instances, InstanceIds=[missing])
assert found("ResourceName", missing)[0]["errorCode"] == "InvalidInstanceID.NotFound"
ec2.delete_key_pair(KeyName=NAME)

step("pages lead on")
pages = trail.get_paginator("lookup_events").paginate(
    LookupAttributes=[{"AttributeKey": "EventSource", "AttributeValue": "ec2.amazonaws.com"}],
    PaginationConfig={"PageSize": 2, "MaxItems": 5},
)
ids = [event["EventId"] for page in pages for event in page["Events"]]
assert len(ids) == len(set(ids)) and len(ids) >= 3, ids
refused("InvalidNextTokenException", trail.lookup_events, NextToken="bm9uZQ==")
refused("UnsupportedOperationException", trail.list_queries, EventDataStore="none")

step("a bucket is in the trail, too")
s3.create_bucket(Bucket=BUCKET)
until("CreateBucket", lambda: found("ResourceName", f"arn:aws:s3:::{BUCKET}"))

step("a trail writes files into it")
made = trail.create_trail(Name=NAME, S3BucketName=BUCKET, S3KeyPrefix="audit")
assert made["TrailARN"].endswith(f":{account}:trail/{NAME}"), made
trail.start_logging(Name=made["TrailARN"])
assert trail.get_trail_status(Name=NAME)["IsLogging"]
assert [row["Name"] for row in trail.describe_trails(trailNameList=[NAME])["trailList"]] == [NAME]
ec2.describe_regions()
trail.stop_logging(Name=NAME)
until("a file", lambda: trail.get_trail_status(Name=NAME).get("LatestDeliveryTime"))
objects = s3.list_objects_v2(Bucket=BUCKET, Prefix=f"audit/AWSLogs/{account}/CloudTrail/us-east-1/")["Contents"]
body = s3.get_object(Bucket=BUCKET, Key=objects[0]["Key"])["Body"].read()
records = json.loads(gzip.decompress(body))["Records"]
assert [record["eventName"] for record in records][:1] == ["StartLogging"], records
assert "DescribeRegions" in [record["eventName"] for record in records], records
trail.delete_trail(Name=NAME)
refused("TrailNotFoundException", trail.get_trail_status, Name=NAME)
for row in objects:
    s3.delete_object(Bucket=BUCKET, Key=row["Key"])
s3.delete_bucket(Bucket=BUCKET)

step("quotas")
assert [row["ServiceCode"] for row in quotas.list_services()["Services"]] == ["ebs", "ec2", "vpc"]
every = [
    quota
    for page in quotas.get_paginator("list_service_quotas").paginate(
        ServiceCode="vpc", PaginationConfig={"PageSize": 5}
    )
    for quota in page["Quotas"]
]
assert any(quota["QuotaCode"] == "L-F678F1CE" for quota in every), every
refused("NoSuchResourceException", quotas.get_service_quota, ServiceCode="ec2", QuotaCode="L-00000000")

step("a wish waits for the administrator")
subnets = dict(ServiceCode="vpc", QuotaCode="L-407747CB")
wished = int(quotas.get_service_quota(**subnets)["Quota"]["Value"]) + 1
try:
    asked = quotas.request_service_quota_increase(**subnets, DesiredValue=wished)["RequestedQuota"]
except quotas.exceptions.ResourceAlreadyExistsException:  # of the same day over HTTP
    asked = quotas.list_requested_service_quota_change_history_by_quota(**subnets)["RequestedQuotas"][-1]
assert quotas.get_requested_service_quota_change(RequestId=asked["Id"])["RequestedQuota"]["Status"] == "PENDING"

step("the command line")


def aws(*arguments):
    command = ["/usr/bin/aws", "--endpoint-url", url, "--region", "us-east-1", "--output", "json", *arguments]
    if TLS:
        command += ["--ca-bundle", CA]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


events = aws("cloudtrail", "lookup-events", "--max-results", "5", "--start-time", str(int(time.time()) - 3600))
assert len(events["Events"]) == 5
value = aws("service-quotas", "get-aws-default-service-quota", "--service-code", "ec2", "--quota-code", "L-0263D0A3")
assert value["Quota"]["QuotaName"] == "EC2-VPC Elastic IPs"

step("done")
