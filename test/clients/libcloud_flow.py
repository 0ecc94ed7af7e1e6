"""libcloud's Eucalyptus driver: SigV2, sizes in Eucalyptus' own form."""

import libcloud.security
from libcloud.compute.providers import get_driver
from libcloud.compute.types import NodeState, Provider

from flow import CA, HOST, KEY_ID, LOCATION, NAME, PORT, SECRET, TLS, step, until

if TLS:
    libcloud.security.CA_CERTS_PATH = CA

cloud = get_driver(Provider.EUCALYPTUS)(KEY_ID, SECRET, secure=TLS, host=HOST, port=PORT)

step("sizes and images")
size = next(entry for entry in cloud.list_sizes() if entry.id == "t1.micro")
assert size.ram == 256 and size.extra["cpu"] == 1
image = next(entry for entry in cloud.list_images() if entry.name == "mallee-starter")
assert image.extra["image_location"] == LOCATION

step("key pairs")
pair = cloud.create_key_pair(NAME)
assert "PRIVATE KEY" in pair.private_key
assert NAME in [entry.name for entry in cloud.list_key_pairs()]

step("launch")
node = cloud.create_node(name=NAME, image=image, size=size, ex_keyname=NAME)
mine = lambda: next(entry for entry in cloud.list_nodes() if entry.id == node.id)
until("it runs", lambda: mine().state == NodeState.RUNNING)

step("describe and tag")
assert mine().name == NAME
assert cloud.ex_create_tags(node, {"flow": NAME})
assert cloud.ex_describe_tags(node)["flow"] == NAME

step("terminate")
assert cloud.destroy_node(node)
until("it is gone", lambda: mine().state in (NodeState.TERMINATED, NodeState.UNKNOWN))
assert cloud.delete_key_pair(pair)
step("done")
