"""Debian's boto3 and aws with IAM: users, groups, roles and policies from their making to their end, and what they may."""

import base64
import csv
import hashlib
import hmac
import io
import json
import os
import struct
import subprocess
import time

import boto3
from botocore.exceptions import ClientError

from flow import CA, HOST, NAME, PORT, TLS, step, until

URL = f"{'https' if TLS else 'http'}://{HOST}:{PORT}"
options = dict(region_name="us-east-1", endpoint_url=URL, verify=CA if TLS else None)
iam = boto3.client("iam", **options)
account = boto3.client("sts", **options).get_caller_identity()["Account"]
USER, GROUP, ROLE, POLICY = (f"{NAME}-{word}" for word in ("user", "group", "role", "policy"))


def aws(*words):
    command = ["aws", "--endpoint-url", URL, "--region", "us-east-1", "--output", "json", "iam", *words]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "AWS_PAGER": ""})
    if done.returncode != 0:
        raise SystemExit(f"{words}: {done.stderr}")
    return json.loads(done.stdout) if done.stdout.strip() else {}


def refused(code, call, **arguments):
    try:
        call(**arguments)
    except ClientError as error:
        assert error.response["Error"]["Code"] == code, error
        return
    raise SystemExit(f"{call.__name__} was not refused as {code}")


def allow(action, resource="*"):
    statement = {"Effect": "Allow", "Action": action, "Resource": resource}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def trust(service):
    statement = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


step("a user in a group, with tags")
made = iam.create_user(UserName=USER, Path="/staff/", Tags=[{"Key": "team", "Value": "blue"}])["User"]
assert made["Arn"] == f"arn:aws:iam::{account}:user/staff/{USER}", made
iam.create_group(GroupName=GROUP)
iam.add_user_to_group(GroupName=GROUP, UserName=USER)
assert [row["UserName"] for row in iam.get_group(GroupName=GROUP)["Users"]] == [USER]
assert aws("get-user", "--user-name", USER)["User"]["Tags"] == [{"Key": "team", "Value": "blue"}]
iam.get_waiter("user_exists").wait(UserName=USER, WaiterConfig={"Delay": 1})
pages = iam.get_paginator("list_users").paginate(PaginationConfig={"PageSize": 1})
assert USER in [row["UserName"] for page in pages for row in page["Users"]]
refused("EntityAlreadyExists", iam.create_user, UserName=USER.upper())

step("a key of it, which may what its policies say")
key = iam.create_access_key(UserName=USER)["AccessKey"]
own = dict(aws_access_key_id=key["AccessKeyId"], aws_secret_access_key=key["SecretAccessKey"], aws_session_token=None)
ec2 = boto3.client("ec2", **options, **own)
refused("UnauthorizedOperation", ec2.describe_instances)
document = json.loads(allow("ec2:Describe*"))
iam.put_group_policy(GroupName=GROUP, PolicyName="look", PolicyDocument=json.dumps(document))
assert iam.get_group_policy(GroupName=GROUP, PolicyName="look")["PolicyDocument"] == document
until("it may describe", lambda: "Reservations" in ec2.describe_instances())
refused("AccessDenied", boto3.client("iam", **options, **own).list_users)

step("a managed policy with versions")
arn = iam.create_policy(PolicyName=POLICY, PolicyDocument=allow("iam:Get*"))["Policy"]["Arn"]
iam.create_policy_version(PolicyArn=arn, PolicyDocument=allow("iam:List*"), SetAsDefault=True)
iam.attach_user_policy(UserName=USER, PolicyArn=arn)
mine = boto3.client("iam", **options, **own)
assert USER in [row["UserName"] for row in mine.list_users()["Users"]]
refused("AccessDenied", mine.get_user, UserName=USER)
iam.set_default_policy_version(PolicyArn=arn, VersionId="v1")
assert mine.get_user()["User"]["UserName"] == USER
simulated = iam.simulate_principal_policy(PolicySourceArn=made["Arn"], ActionNames=["iam:GetUser", "iam:DeleteUser"])
assert [row["EvalDecision"] for row in simulated["EvaluationResults"]] == ["allowed", "implicitDeny"], simulated
attached = aws("list-entities-for-policy", "--policy-arn", arn)
assert [row["UserName"] for row in attached["PolicyUsers"]] == [USER], attached

step("a role in an instance profile")
aws("create-role", "--role-name", ROLE, "--assume-role-policy-document", trust("ec2.amazonaws.com"))
iam.put_role_policy(RoleName=ROLE, PolicyName="look", PolicyDocument=allow("s3:ListBucket"))
iam.create_instance_profile(InstanceProfileName=ROLE)
iam.add_role_to_instance_profile(InstanceProfileName=ROLE, RoleName=ROLE)
profile = iam.get_instance_profile(InstanceProfileName=ROLE)["InstanceProfile"]
assert profile["Roles"][0]["AssumeRolePolicyDocument"] == json.loads(trust("ec2.amazonaws.com")), profile
refused("DeleteConflict", iam.delete_role, RoleName=ROLE)

step("an MFA device and a password")
device = iam.create_virtual_mfa_device(VirtualMFADeviceName=NAME)["VirtualMFADevice"]
assert device["QRCodePNG"].startswith(b"\x89PNG")
seed = base64.b32decode(device["Base32StringSeed"])


def code(at):
    digest = hmac.new(seed, struct.pack(">Q", at), hashlib.sha1).digest()
    value = struct.unpack(">I", digest[digest[19] & 15 :][:4])[0] & 0x7FFFFFFF
    return f"{value % 1000000:06d}"


now = int(time.time()) // 30
iam.enable_mfa_device(
    UserName=USER,
    SerialNumber=device["SerialNumber"],
    AuthenticationCode1=code(now - 1),
    AuthenticationCode2=code(now),
)
iam.create_login_profile(UserName=USER, Password="Correct-Horse-1", PasswordResetRequired=True)
refused("PasswordPolicyViolation", iam.update_login_profile, UserName=USER, Password="horse")

step("sessions, which EC2 and S3 take and obey")


def temporary(answer):
    keys = answer["Credentials"]
    return dict(
        aws_access_key_id=keys["AccessKeyId"],
        aws_secret_access_key=keys["SecretAccessKey"],
        aws_session_token=keys["SessionToken"],
    )


def denied(call, **arguments):
    try:
        call(**arguments)
    except ClientError as error:
        return error.response["Error"]["Code"] in ("AccessDenied", "UnauthorizedOperation", "403")
    return False


BUCKET = f"{NAME}-sessions"
owner = boto3.client("s3", **options)
owner.create_bucket(Bucket=BUCKET)
trusting = json.loads(trust("ec2.amazonaws.com"))
trusting["Statement"].append({"Effect": "Allow", "Principal": {"AWS": made["Arn"]}, "Action": "sts:AssumeRole"})
iam.update_assume_role_policy(RoleName=ROLE, PolicyDocument=json.dumps(trusting))
sts = boto3.client("sts", **options, **own)
assumed = sts.assume_role(RoleArn=profile["Roles"][0]["Arn"], RoleSessionName="day", DurationSeconds=900)
session = temporary(assumed)
assert boto3.client("sts", **options, **session).get_caller_identity()["Arn"].endswith(f"assumed-role/{ROLE}/day")
s3 = boto3.client("s3", **options, **session)
until("the role lists", lambda: not denied(s3.list_objects_v2, Bucket=BUCKET))
assert denied(s3.put_object, Bucket=BUCKET, Key="key")
assert denied(boto3.client("ec2", **options, **session).describe_instances)
environment = {
    **os.environ,
    "AWS_PAGER": "",
    "AWS_ACCESS_KEY_ID": session["aws_access_key_id"],
    "AWS_SECRET_ACCESS_KEY": session["aws_secret_access_key"],
    "AWS_SESSION_TOKEN": session["aws_session_token"],
}
for words in (["sts", "get-caller-identity"], ["s3", "ls", f"s3://{BUCKET}"]):
    subprocess.run(["aws", "--endpoint-url", URL, "--region", "us-east-1", *words], env=environment, check=True)
with_code = sts.get_session_token(SerialNumber=device["SerialNumber"], TokenCode=code(int(time.time()) // 30 + 1))
assert boto3.client("iam", **options, **temporary(with_code)).get_user()["User"]["UserName"] == USER
refused("AccessDenied", boto3.client("iam", **options, **temporary(sts.get_session_token())).get_user)
owner.delete_bucket(Bucket=BUCKET)

step("what an auditor asks")
details = aws("get-account-authorization-details", "--filter", "User")
assert USER in [row["UserName"] for row in details["UserDetailList"]], details
assert iam.get_account_summary()["SummaryMap"]["Users"] >= 1
iam.generate_credential_report()
report = iam.get_credential_report()["Content"].decode()
assert next(csv.DictReader(io.StringIO(report)))["user"] == "<root_account>", report

step("it goes, piece by piece")
refused("DeleteConflict", iam.delete_user, UserName=USER)
iam.deactivate_mfa_device(UserName=USER, SerialNumber=device["SerialNumber"])
iam.delete_virtual_mfa_device(SerialNumber=device["SerialNumber"])
iam.delete_login_profile(UserName=USER)
iam.delete_access_key(UserName=USER, AccessKeyId=key["AccessKeyId"])
refused("InvalidClientTokenId", mine.get_user)
iam.remove_user_from_group(GroupName=GROUP, UserName=USER)
iam.detach_user_policy(UserName=USER, PolicyArn=arn)
iam.delete_policy_version(PolicyArn=arn, VersionId="v2")
iam.delete_policy(PolicyArn=arn)
iam.delete_user(UserName=USER)
iam.delete_group_policy(GroupName=GROUP, PolicyName="look")
iam.delete_group(GroupName=GROUP)
iam.remove_role_from_instance_profile(InstanceProfileName=ROLE, RoleName=ROLE)
iam.delete_instance_profile(InstanceProfileName=ROLE)
iam.delete_role_policy(RoleName=ROLE, PolicyName="look")
iam.delete_role(RoleName=ROLE)
refused("NoSuchEntity", iam.get_user, UserName=USER)

step("done")
