"""Debian's boto3: today's era, endpoints by URL, SigV4, paginators and waiters."""

import boto3
from botocore.exceptions import ClientError

from flow import CA, HOST, LOCATION, NAME, PORT, TLS, step

url = f"{'https' if TLS else 'http'}://{HOST}:{PORT}"
ec2 = boto3.client("ec2", region_name="us-east-1", endpoint_url=url, verify=CA if TLS else None)
sts = boto3.client("sts", region_name="us-east-1", endpoint_url=url, verify=CA if TLS else None)

step("who am I")
account = sts.get_caller_identity()["Account"]

step("key pairs")
pair = ec2.create_key_pair(KeyName=NAME, KeyType="ed25519")
assert pair["KeyMaterial"].startswith("-----BEGIN OPENSSH PRIVATE KEY-----")
assert ec2.describe_key_pairs(KeyNames=[NAME])["KeyPairs"][0]["KeyPairId"] == pair["KeyPairId"]

step("images")
image = ec2.register_image(
    Name=NAME, ImageLocation=LOCATION, VirtualizationType="hvm", RootDeviceName="/dev/sda1"
)["ImageId"]
ec2.create_tags(Resources=[image], Tags=[{"Key": "flow", "Value": NAME}])
ec2.get_waiter("image_available").wait(ImageIds=[image], WaiterConfig={"Delay": 1, "MaxAttempts": 60})
ec2.modify_image_attribute(ImageId=image, Description={"Value": "made by boto3"})
found = ec2.describe_images(Owners=["self"], Filters=[{"Name": "tag:flow", "Values": [NAME]}])["Images"]
assert [(entry["ImageId"], entry["OwnerId"], entry["Description"]) for entry in found] == [
    (image, account, "made by boto3")
]

step("launch")
template = ec2.create_launch_template(
    LaunchTemplateName=NAME, LaunchTemplateData={"ImageId": image, "InstanceType": "t1.micro"}
)["LaunchTemplate"]["LaunchTemplateId"]
launch = dict(
    LaunchTemplate={"LaunchTemplateId": template, "Version": "$Latest"},
    MinCount=1,
    MaxCount=1,
    KeyName=NAME,
    ClientToken=f"token-{NAME}",
    TagSpecifications=[{"ResourceType": "instance", "Tags": [{"Key": "flow", "Value": NAME}]}],
)
instance = ec2.run_instances(**launch)["Instances"][0]["InstanceId"]
assert ec2.run_instances(**launch)["Instances"][0]["InstanceId"] == instance, "the token launched twice"
try:
    ec2.run_instances(**{**launch, "KeyName": "another"})
    raise SystemExit("the token was taken for another request")
except ClientError as error:
    assert error.response["Error"]["Code"] == "IdempotentParameterMismatch", error
ec2.get_waiter("instance_running").wait(InstanceIds=[instance], WaiterConfig={"Delay": 1, "MaxAttempts": 90})

step("describe and tag")
ec2.create_tags(Resources=[instance], Tags=[{"Key": "Name", "Value": NAME}])
pages = ec2.get_paginator("describe_instances").paginate(
    Filters=[{"Name": "tag:Name", "Values": [NAME]}], PaginationConfig={"PageSize": 5}
)
seen = [entry for page in pages for group in page["Reservations"] for entry in group["Instances"]]
assert [entry["InstanceId"] for entry in seen] == [instance]
assert seen[0]["PublicIpAddress"] and seen[0]["MetadataOptions"]["HttpTokens"] == "required"
ec2.modify_instance_attribute(InstanceId=instance, DisableApiTermination={"Value": True})
try:
    ec2.terminate_instances(InstanceIds=[instance])
    raise SystemExit("an instance that is protected was terminated")
except ClientError as error:
    assert error.response["Error"]["Code"] == "OperationNotPermitted", error
ec2.modify_instance_attribute(InstanceId=instance, Attribute="disableApiTermination", Value="false")
picture = ec2.get_console_screenshot(InstanceId=instance)["ImageData"]
assert picture.startswith("/9j/"), "the screen is no JPEG"
try:
    ec2.run_instances(ImageId=image, MinCount=1, MaxCount=1, DryRun=True)
except ClientError as error:
    assert error.response["Error"]["Code"] == "DryRunOperation", error

step("terminate")
ec2.terminate_instances(InstanceIds=[instance])
ec2.get_waiter("instance_terminated").wait(InstanceIds=[instance], WaiterConfig={"Delay": 1, "MaxAttempts": 60})
ec2.delete_launch_template(LaunchTemplateId=template)
ec2.deregister_image(ImageId=image)
ec2.delete_key_pair(KeyName=NAME)
step("done")
