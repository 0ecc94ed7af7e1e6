"""boto 2.49: the library of the Eucalyptus era, Query 2014-10-01 below /services/compute, SigV2 unless told otherwise."""

import boto
from boto.ec2.connection import EC2Connection
from boto.ec2.regioninfo import RegionInfo

from flow import CA, HOST, KEY_ID, LOCATION, NAME, PORT, SECRET, TLS, step, until

if TLS:
    boto.config.add_section("Boto")
    boto.config.set("Boto", "ca_certificates_file", CA)

ec2 = EC2Connection(
    KEY_ID,
    SECRET,
    is_secure=TLS,
    port=PORT,
    path="/services/compute",
    region=RegionInfo(name="eucalyptus", endpoint=HOST),
    api_version="2014-10-01",
)

step("zones and key pairs")
assert ec2.get_all_zones()[0].state == "available"
pair = ec2.create_key_pair(NAME)
assert "PRIVATE KEY" in pair.material
assert ec2.get_all_key_pairs([NAME])[0].fingerprint == pair.fingerprint

step("images")
image = ec2.register_image(name=NAME, image_location=LOCATION, root_device_name="/dev/sda1")
until("the image is available", lambda: ec2.get_all_images([image])[0].state == "available")
account = ec2.get_all_images([image])[0].owner_id
assert ec2.modify_image_attribute(image, operation="add", user_ids=[account])
assert ec2.get_image_attribute(image).attrs["user_ids"] == [account]
assert ec2.modify_image_attribute(image, operation="remove", user_ids=[account])

step("launch")
reservation = ec2.run_instances(image, key_name=NAME, instance_type="t1.micro", user_data="hello")
instance = reservation.instances[0]
assert reservation.owner_id == account
until("it runs", lambda: instance.update() == "running")

step("describe and tag")
ec2.create_tags([instance.id], {"Name": NAME})
assert [found.id for found in ec2.get_only_instances(filters={"tag:Name": NAME})] == [instance.id]
assert ec2.get_instance_attribute(instance.id, "userData")["userData"] == "aGVsbG8="
assert ec2.modify_instance_attribute(instance.id, "disableApiTermination", False)
assert ec2.get_all_instance_status([instance.id])[0].state_name == "running"
group = ec2.create_security_group(NAME, "of a flow")
assert ec2.authorize_security_group(NAME, ip_protocol="tcp", from_port=22, to_port=22, cidr_ip="0.0.0.0/0")
assert str(ec2.get_all_security_groups([NAME])[0].rules[0].grants[0]) == "0.0.0.0/0"
ec2.get_console_output(instance.id)

step("terminate")
ec2.terminate_instances([instance.id])
until("it is terminated", lambda: instance.update() == "terminated")
assert ec2.delete_security_group(group_id=group.id)
assert ec2.deregister_image(image)
assert ec2.delete_key_pair(NAME)
step("done")
